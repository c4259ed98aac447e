//! The way to a receiver: one signed POST, no redirect, no address of one's own network, nothing kept of a person.
//!
//! ```text
//!  body ─ signed by the platform's pair ─► POST ─ 2xx ─► taken
//!                                            ├ any other status ─► refused: its first bytes, masked
//!                                            └ no answer in time, no connection, a private address ─► why
//! ```
//! A merchant chooses the address, so it must not be a way into the institution's network (SSRF): each address that a name
//! resolves to is looked at where the connection is made, not before, so that a name cannot change in between.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ark::keys::KeyUse;
use ark::signing::{NONCE_HEADER, SERIAL_HEADER, SIGNATURE_HEADER, Stamp, TIMESTAMP_HEADER, answer_to_sign};
use domain::webhook::Webhook;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use store::webhook_delivery::{Attempt, Delivery};

use crate::config::WebhooksConfig;
use crate::http::platform_signature;
use crate::http::webhook::body;
use crate::shell::clock::wall_ms;

/// Names the delivery, the same at every try.
const DELIVERY_HEADER: &str = "lintel-delivery";
/// Which try it is, from 1.
const ATTEMPT_HEADER: &str = "lintel-attempt";
/// What is kept of a refusal.
const SHOWN: usize = 160;
/// As many digits in a row may be of a card, a phone or a person.
const DIGITS: usize = 5;
/// Why the key is used, for the trail.
const REASON: &str = "webhook";

/// Why an address is not called.
#[derive(Debug, thiserror::Error)]
#[error("the address is loopback, private or reserved and is not called (webhooks.private_addresses)")]
struct Private;

/// Whether an address is one of the public internet: neither loopback, private, link-local, multicast nor reserved, in whatever
/// form an IPv4 address stands in an IPv6 one (RFC 6890, RFC 6052, RFC 3056).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            let embedded = |at: usize| {
                let octets = address.octets();
                Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3])
            };
            match (first, second) {
                _ if address.to_ipv4_mapped().is_some() => is_public_v4(embedded(12)),
                (0x64, 0xff9b) => is_public_v4(embedded(12)),
                (0x2002, _) => is_public_v4(embedded(2)),
                // Teredo, benchmarks, documentation: nobody's.
                (0x2001, 0..=0x1ff | 0xdb8) => false,
                // Only 2000::/3 is given out.
                _ => (0x2000..=0x3fff).contains(&first) && address != Ipv6Addr::LOCALHOST,
            }
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (18..20).contains(&second);
    let special = first == 192 && second == 0 && third == 0;
    let reserved =
        address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation();
    !(first == 0 || first >= 224 || reserved || shared || benchmark || special)
}

/// Resolves names, and refuses those of one's own network.
struct Guard {
    private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !private && found.iter().any(|address| !is_public(address.ip())) {
                return Err(Private.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The ways to all receivers.
pub(crate) struct Receivers {
    http: reqwest::Client,
    keys: Arc<dyn KeyUse>,
    private: bool,
}

/// Why a receiver did not take it.
struct Refused {
    status: Option<u16>,
    why: String,
}

impl Receivers {
    /// A pool of connections; in a sandbox every address may be called.
    ///
    /// # Errors
    /// No client can be made.
    pub(crate) fn new(config: &WebhooksConfig, sandbox: bool, keys: Arc<dyn KeyUse>) -> Result<Self> {
        let private = sandbox || config.private_addresses;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(config.timeout_ms))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .pool_max_idle_per_host(config.at_once_per_merchant)
            .dns_resolver(Arc::new(Guard { private }))
            .user_agent(concat!("Lintel/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("making an HTTP client for webhooks")?;
        Ok(Self { http, keys, private })
    }

    /// Whether addresses of one's own network are called.
    pub(crate) fn calls_private(&self) -> bool {
        self.private
    }

    /// Tells a receiver, once.
    pub(super) async fn tell(&self, webhook: &Webhook, delivery: &Delivery) -> Attempt {
        let (at, began, number) = (wall_ms(), Instant::now(), delivery.attempts.saturating_add(1));
        let told = self.post(webhook, delivery, number).await;
        let took = began.elapsed();
        let outcome = match &told {
            Ok(_) => "accepted",
            Err(Refused { status: Some(_), .. }) => "refused",
            Err(Refused { status: None, .. }) => "no_answer",
        };
        metrics::counter!("lintel_webhook_tries_total", "outcome" => outcome).increment(1);
        metrics::histogram!("lintel_webhook_try_seconds").record(took.as_secs_f64());
        let (status, error) = match told {
            Ok(status) => (Some(status), String::new()),
            Err(Refused { status, why }) => (status, why),
        };
        Attempt { number, at, status, duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), error }
    }

    async fn post(&self, webhook: &Webhook, delivery: &Delivery, number: u32) -> Result<u16, Refused> {
        let unsent = |why: &str| Refused { status: None, why: why.to_owned() };
        let url = Url::parse(&webhook.url).map_err(|_| unsent("the address does not read"))?;
        if !self.private && literal(&url).is_some_and(|address| !is_public(address)) {
            return Err(unsent(&Private.to_string()));
        }
        let body = body::of(&delivery.announcement);
        let now = u64::try_from(wall_ms() / 1_000).unwrap_or_default();
        let stamp = Stamp::random(now).map_err(|_| unsent("the platform could not sign it"))?;
        let (keys, message) = (Arc::clone(&self.keys), answer_to_sign(&stamp, &body));
        let algorithm = webhook.algorithm;
        let signing = move || platform_signature(&*keys, algorithm, &message, REASON);
        let signed = tokio::task::spawn_blocking(signing).await;
        let Ok(Ok((serial, signature))) = signed else { return Err(unsent("the platform could not sign it")) };
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header(DELIVERY_HEADER, delivery.id().to_string())
            .header(ATTEMPT_HEADER, number)
            .header(TIMESTAMP_HEADER, stamp.timestamp())
            .header(NONCE_HEADER, stamp.nonce())
            .header(SERIAL_HEADER, serial)
            .header(SIGNATURE_HEADER, signature);
        match request.body(body).send().await {
            Ok(answer) => taken(answer).await,
            Err(error) => Err(Refused { status: None, why: why(&error) }),
        }
    }
}

/// The address that stands in a URL in place of a name.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// Any status of success takes it; of what else comes only the first bytes are read.
async fn taken(mut answer: reqwest::Response) -> Result<u16, Refused> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status.as_u16());
    }
    let mut first = Vec::new();
    while first.len() < SHOWN {
        match answer.chunk().await {
            Ok(Some(chunk)) => first.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    let why = match (status.is_redirection(), masked(&first)) {
        (true, _) => "a redirect is not followed: register the address it leads to".to_owned(),
        (false, said) if said.is_empty() => format!("answered {}", status.as_u16()),
        (false, said) => format!("answered {}: {said}", status.as_u16()),
    };
    Err(Refused { status: Some(status.as_u16()), why })
}

/// Why no answer came, in the words of who failed last; never the address, which may hold a secret of the receiver's.
fn why(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut last = String::new();
    while let Some(inner) = source {
        last = inner.to_string();
        source = inner.source();
    }
    let what = if error.is_timeout() {
        return "no answer in time".to_owned();
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    if last.is_empty() { what.to_owned() } else { format!("{what}: {}", masked(last.as_bytes())) }
}

/// What may be shown of bytes from outside: ASCII alone, so no names in Chinese, and no long numbers.
fn masked(bytes: &[u8]) -> String {
    let mut shown: Vec<u8> = bytes.iter().take(SHOWN).copied().collect();
    for byte in &mut shown {
        if byte.is_ascii_whitespace() {
            *byte = b' ';
        } else if !byte.is_ascii_graphic() {
            *byte = b'.';
        }
    }
    let mut at = 0;
    while at < shown.len() {
        let run = shown[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if run >= DIGITS {
            shown[at..at + run].fill(b'*');
        }
        at += run.max(1);
    }
    String::from_utf8_lossy(&shown).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for public in
            ["1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "203.0.114.1", "2606:4700::1111", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for own in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "::7f00:1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_known_in_every_spelling() {
        for (url, own) in [
            ("http://127.0.0.1/x", true),
            ("http://2130706433/", true),
            ("http://0x7f.1/", true),
            ("http://[::1]:8080/", true),
            ("https://1.1.1.1/", false),
        ] {
            let address = literal(&Url::parse(url).unwrap());
            assert_eq!(address.map(|address| !is_public(address)), Some(own), "{url}");
        }
        assert_eq!(literal(&Url::parse("https://shop.example/").unwrap()), None);
    }

    #[test]
    fn nothing_of_a_person_is_kept_of_what_a_receiver_says() {
        assert_eq!(masked(b"bad order 42\r\n"), "bad order 42");
        assert_eq!(masked("张三 13800001234 6222020200112230X".as_bytes()), "...... *********** ****************X");
        assert_eq!(masked(&[b'x'; 500]).len(), SHOWN);
        assert_eq!(masked(b""), "");
    }
}

/// With the network: what a receiver that is never called must not see.
#[cfg(test)]
mod guarded {
    use std::net::TcpListener;

    use super::*;

    /// Where a connection would be seen, and its port.
    fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn client(private: bool) -> reqwest::Client {
        let builder = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5));
        builder.dns_resolver(Arc::new(Guard { private })).build().unwrap()
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_before_anything_is_connected() {
        let (listener, port) = listener();
        let error = client(false).post(format!("http://localhost:{port}/")).send().await.unwrap_err();
        assert!(why(&error).contains("webhooks.private_addresses"), "{}", why(&error));
        let nobody = listener.accept().map(drop).unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    }

    #[tokio::test]
    async fn where_private_addresses_are_allowed_the_name_is_called() {
        let (listener, port) = listener();
        let calling = tokio::spawn(client(true).post(format!("http://localhost:{port}/")).send());
        let came = async {
            while listener.accept().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), came).await.expect("it came");
        calling.abort();
    }
}
