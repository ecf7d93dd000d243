//! Strangers' failures: one stable line each for fail2ban, so many a second and no more, nothing they wrote in it.

use std::{
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

const LINES_PER_SECOND: u32 = 20;

/// A rate-limited log.
#[derive(Debug)]
pub struct SecurityLog {
    second: Mutex<(Instant, u32)>,
}

impl Default for SecurityLog {
    fn default() -> Self {
        Self { second: Mutex::new((Instant::now(), 0)) }
    }
}

impl SecurityLog {
    /// Writes `auth_fail ip=… kind=…` unless this second has had its lines.
    pub fn failure(&self, ip: IpAddr, kind: &'static str) {
        let mut second = self.second.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if second.0.elapsed() > Duration::from_secs(1) {
            if second.1 > LINES_PER_SECOND {
                tracing::warn!(target: "security", suppressed = second.1 - LINES_PER_SECOND, "more failures than lines");
            }
            *second = (Instant::now(), 0);
        }
        second.1 += 1;
        if second.1 <= LINES_PER_SECOND {
            tracing::warn!(target: "security", "auth_fail ip={ip} kind={kind}");
        }
    }
}
