use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};

use dbos_testkit::{behaviours, free_port};

behaviours! { port:
    a_port_is_given_once_and_is_nobodys on nothing,
    connections_never_take_a_port_that_was_given on nothing,
}

async fn a_port_is_given_once_and_is_nobodys() {
    let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();

    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
    for port in ports {
        TcpListener::bind(("127.0.0.1", port)).expect("nobody listens");
        // Another process finds it reserved the same way.
        assert!(UdpSocket::bind(("127.0.0.1", port)).is_err(), "{port} is reserved");
    }
}

async fn connections_never_take_a_port_that_was_given() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux says");
    let lowest: u16 = range.split_whitespace().next().and_then(|low| low.parse().ok()).expect("a number");

    assert!((0..50).all(|_| free_port() < lowest), "connections take ports from {lowest} on");
}
