//! Terminals of a running platform, with the bytes that pyiso8583 made (`fixtures/pos/make.py`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde::Deserialize;

use crate::server::Server;

const FRAMES: &str = include_str!("../../../../fixtures/pos/frames.jsonl");
/// What lies in the frames and must lie nowhere else: card number, end of the track, PIN block, cryptogram.
const SECRETS: [&str; 4] = ["6230606601007726888", "D30122010000012345", "CD01D6AD8F0A484C", "1122334455667788"];

/// What a terminal sends, and the exact bytes that it must be answered.
#[derive(Deserialize)]
struct Foreign {
    name: String,
    sent: String,
    answer: Option<String>,
    #[serde(default)]
    closed: bool,
}

fn frames() -> Vec<Foreign> {
    FRAMES.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where terminals connect, as the log says.
pub(crate) fn terminals(server: &Server) -> String {
    listening(server).first().cloned().unwrap_or_else(|| panic!("{}", server.log()))
}

/// The same of each time that it started.
pub(crate) fn listening(server: &Server) -> Vec<String> {
    let log = server.log();
    // A line that is being written has no end yet.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().filter(|line| line.contains("terminals may connect by TCP"));
    let address =
        |line: &str| line.split_whitespace().find_map(|word| word.strip_prefix("address=").map(str::to_owned));
    lines.filter_map(address).collect()
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A frame with its length; `None` at the end.
fn frame(stream: &mut TcpStream) -> Option<String> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut frame).unwrap();
    Some(hex::encode_upper([&length[..], &frame].concat()))
}

#[test]
fn terminals_of_another_making_are_answered_byte_for_byte() {
    let server = Server::start_with(&["pos.listen=127.0.0.1:0", "pos.queue=1"]);
    let address = terminals(&server);
    let echo = frames().into_iter().find(|foreign| foreign.name == "echo").unwrap();
    let (mut kept, mut answered, mut closed) = (connect(&address), 0, 0);
    for foreign in frames() {
        let sent = hex::decode(&foreign.sent).unwrap();
        if foreign.closed {
            let mut broken = connect(&address);
            broken.write_all(&sent).unwrap();
            assert_eq!(frame(&mut broken), None, "{}", foreign.name);
            closed += 1;
            continue;
        }
        // All others on one connection, which nothing of them ends.
        kept.write_all(&sent).unwrap();
        if let Some(answer) = foreign.answer {
            assert_eq!(frame(&mut kept), Some(answer), "{}", foreign.name);
            answered += 1;
        }
    }
    kept.write_all(&hex::decode(echo.sent).unwrap()).unwrap();
    assert_eq!(frame(&mut kept), echo.answer);
    assert!(answered > 14 && closed > 3, "{answered} answered, {closed} closed");

    let metrics = String::from_utf8(server.operator().get("/metrics").body).unwrap();
    for line in [
        "lintel_pos_connections{transport=\"tcp\"} 1",
        "lintel_pos_messages_total{outcome=\"echo\"} 4",
        "lintel_pos_messages_total{outcome=\"format_error\"} 4",
        "lintel_pos_messages_total{outcome=\"not_a_request\"} 1",
        "lintel_pos_closed_total{transport=\"tcp\",why=\"envelope\"} 3",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn nothing_of_a_card_stays_anywhere() {
    let mut server = Server::start_with(&["pos.listen=127.0.0.1:0"]);
    let mut stream = connect(&terminals(&server));
    for foreign in frames().iter().filter(|foreign| foreign.answer.is_some()) {
        stream.write_all(&hex::decode(&foreign.sent).unwrap()).unwrap();
        frame(&mut stream).unwrap();
    }
    drop(stream);
    let metrics = String::from_utf8(server.operator().get("/metrics").body).unwrap();
    assert!(server.log().contains("a message of a terminal that nobody registered"), "{}", server.log());
    assert!(server.stop().success());
    let mut looked_at = vec![server.log().into_bytes(), metrics.into_bytes()];
    let mut folders = vec![server.directory().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                looked_at.push(std::fs::read(path).unwrap());
            }
        }
    }
    assert!(looked_at.len() > 5);
    for bytes in looked_at {
        for secret in SECRETS {
            let packed = hex::decode(format!("{secret:0<width$}", width = secret.len().div_ceil(2) * 2)).unwrap();
            let packed = &packed[..secret.len() / 2];
            for needle in [secret.as_bytes(), secret.to_lowercase().as_bytes(), packed] {
                assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{secret}");
            }
        }
    }
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let directory = tempfile::TempDir::new().unwrap();
    for (settings, told) in [
        (&["pos.listen=7890"][..], "pos.listen is \"7890\": use an address and a port"),
        (
            &["pos.tls_listen=127.0.0.1:0"],
            "pos.tls_listen needs pos.certificate (with its chain) and pos.certificate_key",
        ),
        (&["pos.listen=127.0.0.1:0", "pos.acquirer=/nonexistent.toml"], "the acquirer profile /nonexistent.toml"),
    ] {
        let own = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["serve", "--sandbox", "--listen", "127.0.0.1:0"].into_iter().chain(own).collect();
        let output = crate::server::lintel(directory.path(), &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
}
