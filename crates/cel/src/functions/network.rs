//! IP addresses and networks: Kubernetes' ip and cidr libraries.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Outcome;
use crate::error::EvaluationError;
use crate::value::CelValue::{self, Bool, Int, Ip, String as Text};

/// A network: an address, of which the first bits count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u8,
}

pub(super) fn call(name: &str, arguments: &[CelValue]) -> Option<Outcome> {
    let outcome = match (name, arguments) {
        ("ip", [Text(text)]) => parse_address(text).map(Ip),
        ("ip", [CelValue::Cidr(network)]) => Ok(Ip(network.address)),
        ("isIP", [Text(text)]) => Ok(Bool(parse_address(text).is_ok())),
        ("ip.isCanonical", [Text(text)]) => {
            parse_address(text).map(|address| Bool(address.to_string() == text.as_ref()))
        }
        ("family", [Ip(address)]) => Ok(Int(if address.is_ipv4() { 4 } else { 6 })),
        ("isUnspecified", [Ip(address)]) => Ok(Bool(address.is_unspecified())),
        ("isLoopback", [Ip(address)]) => Ok(Bool(address.is_loopback())),
        ("isLinkLocalMulticast", [Ip(address)]) => Ok(Bool(is_link_local_multicast(*address))),
        ("isLinkLocalUnicast", [Ip(address)]) => Ok(Bool(is_link_local_unicast(*address))),
        ("isGlobalUnicast", [Ip(address)]) => Ok(Bool(is_global_unicast(*address))),
        ("cidr", [Text(text)]) => Cidr::parse(text).map(CelValue::Cidr),
        ("isCIDR", [Text(text)]) => Ok(Bool(Cidr::parse(text).is_ok())),
        ("containsIP", [CelValue::Cidr(network), Ip(address)]) => {
            Ok(Bool(network.contains(*address)))
        }
        ("containsIP", [CelValue::Cidr(network), Text(text)]) => {
            parse_address(text).map(|address| Bool(network.contains(address)))
        }
        ("containsCIDR", [CelValue::Cidr(network), CelValue::Cidr(other)]) => {
            Ok(Bool(network.contains_network(*other)))
        }
        ("containsCIDR", [CelValue::Cidr(network), Text(text)]) => {
            Cidr::parse(text).map(|other| Bool(network.contains_network(other)))
        }
        ("masked", [CelValue::Cidr(network)]) => Ok(CelValue::Cidr(network.masked())),
        ("prefixLength", [CelValue::Cidr(network)]) => Ok(Int(network.bits.into())),
        _ => return None,
    };
    Some(outcome)
}

fn parse_address(text: &str) -> Result<IpAddr, EvaluationError> {
    let refused = |problem: String| Err(EvaluationError::Function(problem));
    if text.contains('%') {
        return refused(format!(
            "IP address {text:?} with zone value is not allowed"
        ));
    }
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            refused(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        Ok(address) => Ok(address),
        Err(_) => refused(format!(
            "IP Address {text:?} parse error during conversion from string"
        )),
    }
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&[224, 0, 0]),
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// As Go has it: private addresses are global, too.
fn is_global_unicast(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(is_broadcast
        || address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || is_link_local_unicast(address))
}

impl Cidr {
    fn parse(text: &str) -> Result<Self, EvaluationError> {
        let refused = || {
            EvaluationError::Function(format!(
                "network address parse error during conversion from string: {text:?}"
            ))
        };
        let (address, bits) = text.split_once('/').ok_or_else(refused)?;
        let address = parse_address(address)?;
        let is_number = bits.bytes().all(|byte| byte.is_ascii_digit())
            && (bits == "0" || !bits.starts_with('0'));
        let bits = bits
            .parse()
            .ok()
            .filter(|_| is_number)
            .ok_or_else(refused)?;
        let network = Self { address, bits };
        if bits > network.width() {
            return Err(refused());
        }
        Ok(network)
    }

    fn width(self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    fn masked(self) -> Self {
        Self {
            address: first_bits(self.address, self.bits),
            bits: self.bits,
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && first_bits(address, self.bits) == first_bits(self.address, self.bits)
    }

    fn contains_network(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn first_bits(address: IpAddr, bits: u8) -> IpAddr {
    let dropped = |width: u32| width.saturating_sub(bits.into());
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(dropped(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(dropped(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}
