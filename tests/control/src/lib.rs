//! control-tests
