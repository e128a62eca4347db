//! TCP ports of this machine: whether one is free, and finding some that are.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail, ensure};

/// Fails, naming the option to change, when something listens on `port` already.
pub(crate) fn require_free(port: u16, option: &str, used_by: &str) -> Result<()> {
    ensure!(port != 0, "{option} 0 is not a port; choose one from 1 to 65535");
    if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        bail!(
            "port {port} for {used_by} cannot be used ({error}); end what listens there, or choose another with {option}"
        );
    }
    Ok(())
}

/// Two different ports that nobody listens on right now.
pub(crate) fn two_free() -> Result<(u16, u16)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port");
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_named_with_its_option() {
        let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = busy.local_addr().unwrap().port();
        let message = require_free(port, "--port", "the Worker").unwrap_err().to_string();
        assert!(message.contains(&port.to_string()) && message.contains("--port"), "{message}");
    }

    #[test]
    fn free_ports_differ_and_are_free() {
        let (first, second) = two_free().unwrap();
        assert_ne!(first, second);
        require_free(first, "--port", "the Worker").unwrap();
    }
}
