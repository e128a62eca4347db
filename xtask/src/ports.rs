//! TCP ports of this machine: whether one is free, and finding some that are.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail, ensure};

/// The address that nobody else reaches.
pub(crate) const THIS_MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Fails, naming the option to change, when something listens on `port` already, or the address is not this machine's.
pub(crate) fn require_free(ip: IpAddr, port: u16, option: &str, used_by: &str) -> Result<()> {
    ensure!(port != 0, "{option} 0 is not a port; choose one from 1 to 65535");
    if let Err(error) = TcpListener::bind((ip, port)) {
        ensure!(
            error.kind() != std::io::ErrorKind::AddrNotAvailable,
            "this machine has no address {ip}; choose one that it has with --ip, or 0.0.0.0 for all of them"
        );
        bail!(
            "port {port} for {used_by} cannot be used ({error}); end what listens there, or choose another with {option}"
        );
    }
    Ok(())
}

/// Two different ports that nobody listens on right now.
pub(crate) fn two_free() -> Result<(u16, u16)> {
    let bind = || TcpListener::bind((THIS_MACHINE, 0)).context("looking for a free port");
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_named_with_its_option() {
        let busy = TcpListener::bind((THIS_MACHINE, 0)).unwrap();
        let port = busy.local_addr().unwrap().port();
        let message = require_free(THIS_MACHINE, port, "--port", "the Worker").unwrap_err().to_string();
        assert!(message.contains(&port.to_string()) && message.contains("--port"), "{message}");
    }

    #[test]
    fn an_address_of_another_machine_is_named_with_its_option() {
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        let message = require_free(elsewhere, 8787, "--port", "the Worker").unwrap_err().to_string();
        assert!(message.contains("192.0.2.1") && message.contains("--ip"), "{message}");
    }

    #[test]
    fn free_ports_differ_and_are_free() {
        let (first, second) = two_free().unwrap();
        assert_ne!(first, second);
        require_free(THIS_MACHINE, first, "--port", "the Worker").unwrap();
    }
}
