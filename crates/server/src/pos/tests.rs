//! Connections over real TCP and TLS: slow, silent, half-closed and hostile peers, too many of them, and a stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::envelope::Time;
use domain::ids::{CardTransactionId, TerminalId};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsConnector;

use super::acquirer::Acquirer;
use super::connection::{Closed, Patience, serve};
use super::gateway::Gateway;
use super::listener::{Terminals, Transport};
use super::switch::{Asked, Decision, Switch, Told};
use crate::authority::Authority;
use crate::shell::Clock;
use crate::tls;

/// An echo, and its answer at the beginning of 1970 in Shanghai: TPDU turned round, 12, 13 and 39 set.
const ECHO: &str = "0037 6000030527 613100311234 0820 0020000000C00010 000001 3130303030303031 \
                    383938313130303730313130303031 0011 000000013010";
const ECHOED: &str = "003E 6005270003 613100311234 0830 0038000002C00010 000001 080000 0101 3030 3130303030303031 \
                      383938313130303730313130303031 0011 000000013010";
/// A sale of 123.45 without a card, and its answer but for the code.
const SALE: &str = "003F 6000030527 613100311234 0200 3020008000C00010 000000 000000012345 000077 00 3130303030303031 \
                    383938313130303730313130303031 0008 22000001";

/// A platform on which no terminal is registered: each is unknown, whatever it wants.
#[derive(Clone, Copy)]
struct NoTerminals;

impl Switch for NoTerminals {
    async fn decide<'m>(&'m self, asked: Asked<'m>) -> Decision {
        Decision::Tell(Told::of(&asked.acquirer.codes.unknown_terminal))
    }

    async fn prove<'m>(&'m self, _: &'m Acquirer, _: TerminalId, _: &'m [u8]) -> Option<[u8; 8]> {
        None
    }

    async fn undelivered(&self, _: CardTransactionId) {}
}

/// Patience that no test waits for.
const PATIENT: Patience =
    Patience { read: Duration::from_secs(60), write: Duration::from_secs(60), idle: Duration::from_secs(60) };
/// What a test waits for.
const SHORT: Duration = Duration::from_millis(100);

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn gateway<S: Switch>(switch: S, queue: usize) -> Gateway<S> {
    let acquirer = Acquirer::load(Path::new("")).unwrap();
    Gateway { acquirer, switch, clock: Clock::manual(Time(0)), queue: Semaphore::new(queue) }
}

async fn listening<S: Switch>(gateway: Gateway<S>, patience: Patience, connections: u32) -> (Terminals<S>, SocketAddr) {
    let terminals = Terminals::new(gateway, patience, connections);
    let address = terminals.listen("127.0.0.1:0".parse().unwrap(), Transport::Tcp).await.unwrap();
    (terminals, address)
}

/// A frame with its length.
async fn frame<T: AsyncRead + Unpin>(stream: &mut T) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await.unwrap();
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut frame).await.unwrap();
    [&length[..], &frame].concat()
}

async fn echoes<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T) {
    stream.write_all(&bytes(ECHO)).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(frame(stream).await, bytes(ECHOED));
}

/// Nothing more comes, and no more is taken.
async fn is_closed<T: AsyncRead + Unpin>(stream: &mut T) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

/// Field 39 of the answer to [`SALE`].
fn code(answer: &[u8]) -> String {
    let acquirer = Acquirer::load(Path::new("")).unwrap();
    let message = iso8583::Message::decode(&acquirer.messages, &answer[13..]).unwrap();
    message.text(39).unwrap().to_owned()
}

/// Tells of each message that it has, and holds it until it is let go.
struct Held {
    has: mpsc::UnboundedSender<()>,
    let_go: Arc<Semaphore>,
}

impl Held {
    fn new() -> (Self, mpsc::UnboundedReceiver<()>, Arc<Semaphore>) {
        let (has, had) = mpsc::unbounded_channel();
        let let_go = Arc::new(Semaphore::new(0));
        (Self { has, let_go: Arc::clone(&let_go) }, had, let_go)
    }
}

impl Switch for Held {
    async fn decide<'m>(&'m self, _: Asked<'m>) -> Decision {
        self.has.send(()).unwrap();
        self.let_go.acquire().await.unwrap().forget();
        Decision::Tell(Told::of("A0"))
    }

    async fn prove<'m>(&'m self, _: &'m Acquirer, _: TerminalId, _: &'m [u8]) -> Option<[u8; 8]> {
        None
    }

    async fn undelivered(&self, _: CardTransactionId) {}
}

#[tokio::test]
async fn frames_come_byte_by_byte_or_many_at_once() {
    let (_terminals, address) = listening(gateway(NoTerminals, 1), PATIENT, 10).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in bytes(ECHO) {
        stream.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(frame(&mut stream).await, bytes(ECHOED));
    let many: Vec<u8> = (0..100).flat_map(|_| bytes(ECHO)).collect();
    stream.write_all(&many).await.unwrap();
    for _ in 0..100 {
        assert_eq!(frame(&mut stream).await, bytes(ECHOED));
    }
}

#[tokio::test]
async fn a_peer_that_has_said_all_is_answered() {
    let (_terminals, address) = listening(gateway(NoTerminals, 1), PATIENT, 10).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&bytes(ECHO)).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(frame(&mut stream).await, bytes(ECHOED));
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn silent_and_slow_peers_are_closed_each_by_its_own_clock() {
    let idle = Patience { idle: SHORT, ..PATIENT };
    let (_terminals, address) = listening(gateway(NoTerminals, 1), idle, 10).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    echoes(&mut silent).await;
    assert!(is_closed(&mut silent).await);
    // Within a frame the other clock runs.
    let mut within = TcpStream::connect(address).await.unwrap();
    within.write_all(&bytes(ECHO)[..10]).await.unwrap();
    assert!(tokio::time::timeout(3 * SHORT, within.read(&mut [0; 1])).await.is_err(), "it is waited for");
    within.write_all(&bytes(ECHO)[10..]).await.unwrap();
    assert_eq!(frame(&mut within).await, bytes(ECHOED));

    let slow = Patience { read: 2 * SHORT, ..PATIENT };
    let (_terminals, address) = listening(gateway(NoTerminals, 1), slow, 10).await;
    let (began, mut stream) = (Instant::now(), TcpStream::connect(address).await.unwrap());
    // A byte now and then does not stop the clock.
    let mut drips = tokio::time::interval(SHORT / 4);
    for byte in bytes(ECHO) {
        drips.tick().await;
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    assert!(is_closed(&mut stream).await && began.elapsed() < 20 * SHORT);
}

#[tokio::test]
async fn a_peer_that_takes_no_answer_is_closed() {
    let (gateway, (_stop, stopped)) = (gateway(NoTerminals, 1), watch::channel(false));
    // A stream that holds eight bytes on the way.
    let (mut near, far) = tokio::io::duplex(8);
    let patience = Patience { write: SHORT, ..PATIENT };
    let sent = bytes(ECHO);
    let (closed, written) = tokio::join!(serve(far, &gateway, patience, stopped), near.write_all(&sent));
    assert_eq!((closed, written.is_ok()), (Closed::SlowWrite, true));
}

#[tokio::test]
async fn whoever_breaks_off_within_a_frame_is_told_from_who_leaves() {
    let (gateway, (_stop, stopped)) = (gateway(NoTerminals, 1), watch::channel(false));
    for (sent, expected) in [(ECHO, Closed::ByPeer), ("0037 60", Closed::CutOff), ("FFFF", Closed::Length)] {
        let (mut near, far) = tokio::io::duplex(4096);
        near.write_all(&bytes(sent)).await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(serve(far, &gateway, PATIENT, stopped.clone()).await, expected);
    }
}

#[tokio::test]
async fn a_full_queue_answers_or_closes_as_the_profile_says() {
    let (held, mut had, let_go) = Held::new();
    let (_terminals, address) = listening(gateway(held, 1), PATIENT, 10).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(&bytes(SALE)).await.unwrap();
    had.recv().await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(&bytes(SALE)).await.unwrap();
    assert_eq!(code(&frame(&mut second).await), "96");
    // An echo asks nothing of the switch.
    echoes(&mut second).await;
    let_go.add_permits(2);
    let answer = frame(&mut first).await;
    assert_eq!(
        (code(&answer).as_str(), &answer[2..13]),
        ("A0", &bytes("6005270003 613103311234")[..]),
        "with its request"
    );
    second.write_all(&bytes(SALE)).await.unwrap();
    assert_eq!(code(&frame(&mut second).await), "A0");

    let (held, mut had, _let_go) = Held::new();
    let mut closing = gateway(held, 1);
    closing.acquirer.overload = super::acquirer::Overload::Close;
    let (_terminals, address) = listening(closing, PATIENT, 10).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(&bytes(SALE)).await.unwrap();
    had.recv().await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(&bytes(SALE)).await.unwrap();
    assert!(is_closed(&mut second).await);
}

#[tokio::test]
async fn the_next_message_of_a_connection_waits_for_the_answer_to_the_last() {
    let (held, mut had, let_go) = Held::new();
    let (_terminals, address) = listening(gateway(held, 10), PATIENT, 10).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[bytes(SALE), bytes(SALE), bytes(ECHO)].concat()).await.unwrap();
    had.recv().await.unwrap();
    let mut other = TcpStream::connect(address).await.unwrap();
    echoes(&mut other).await;
    assert!(had.try_recv().is_err(), "the second sale is not with the switch");
    let_go.add_permits(2);
    let codes = [code(&frame(&mut stream).await), code(&frame(&mut stream).await)];
    assert_eq!((codes, frame(&mut stream).await), (["A0", "A0"].map(String::from), bytes(ECHOED)));
}

#[tokio::test]
async fn more_connections_than_there_are_places_are_closed_at_once() {
    let (_terminals, address) = listening(gateway(NoTerminals, 1), PATIENT, 2).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    echoes(&mut first).await;
    echoes(&mut second).await;
    assert!(is_closed(&mut TcpStream::connect(address).await.unwrap()).await);
    drop(first);
    // Whoever leaves gives its place back.
    loop {
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(&bytes(ECHO)).await.ok();
        if !is_closed(&mut third).await {
            break;
        }
    }
    echoes(&mut second).await;
}

#[tokio::test]
async fn a_stop_ends_the_silent_at_once_and_lets_the_others_have_their_answer() {
    let (held, mut had, let_go) = Held::new();
    let (terminals, address) = listening(gateway(held, 10), PATIENT, 10).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    echoes(&mut silent).await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(&bytes(SALE)).await.unwrap();
    had.recv().await.unwrap();
    assert_eq!(terminals.stop(SHORT).await, 1, "one waits for its answer");
    assert!(is_closed(&mut silent).await);
    assert!(TcpStream::connect(address).await.is_err(), "nobody is let in");
    let_go.add_permits(1);
    assert_eq!(code(&frame(&mut waiting).await), "A0");
    assert!(is_closed(&mut waiting).await);
    assert_eq!(terminals.stop(PATIENT.read).await, 0);
}

/// A client that trusts the authority, in these versions of TLS, with a certificate of its own or none.
fn client(authority: &Authority, versions: &[&'static SupportedProtocolVersion], named: Option<&str>) -> TlsConnector {
    let path = |name: String| authority.path(&name);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path("ca.pem".to_owned())).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match named {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(path(format!("{name}.key"))).unwrap();
            let chain = vec![CertificateDer::from_pem_file(path(format!("{name}.pem"))).unwrap()];
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn terminals_come_by_tls_and_with_a_certificate_where_that_is_asked() {
    let Some(authority) = Authority::new() else { return };
    authority.issue_all(&["platform", "terminal"]);
    let file = |name: &str| PathBuf::from(authority.path(name));
    let (platform, terminal) = ((file("platform.pem"), file("platform.key")), Some("terminal"));
    let patience = Patience { read: 5 * SHORT, ..PATIENT };
    let terminals = Terminals::new(gateway(NoTerminals, 1), patience, 10);
    let transport = |ca: Option<&Path>| Transport::Tls(tls::for_anyone(&platform.0, &platform.1, ca).unwrap());
    let anyone = terminals.listen("127.0.0.1:0".parse().unwrap(), transport(None)).await.unwrap();
    let ca = file("ca.pem");
    let known = terminals.listen("127.0.0.1:0".parse().unwrap(), transport(Some(&ca))).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    for (address, versions, named) in [
        (anyone, &[&version::TLS12][..], None),
        (anyone, &[&version::TLS13], None),
        (known, &[&version::TLS12], terminal),
        (known, &[&version::TLS13], terminal),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = client(&authority, versions, named).connect(name.clone(), stream).await.unwrap();
        echoes(&mut stream).await;
    }
    let stream = TcpStream::connect(known).await.unwrap();
    assert!(client(&authority, &[&version::TLS12], None).connect(name, stream).await.is_err(), "without a certificate");
    // Who never begins the handshake is closed by the clock of a frame, who speaks no TLS at once.
    assert!(is_closed(&mut TcpStream::connect(anyone).await.unwrap()).await);
    let mut plain = TcpStream::connect(anyone).await.unwrap();
    plain.write_all(&bytes(ECHO)).await.unwrap();
    let mut said = Vec::new();
    plain.read_to_end(&mut said).await.ok();
    assert!(said.len() < 16, "at most an alert: {said:?}");
}
