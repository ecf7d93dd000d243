//! The relay (DERP + STUN).
