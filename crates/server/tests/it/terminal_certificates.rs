//! Master keys for terminals whose public keys come with their maker's certificates.

use serde_json::{Value, json};

use crate::maker::Maker;
use crate::open::text;
use crate::server::Server;

const SERIAL: &str = "N900-0042117";

fn started(maker: &Maker) -> Server {
    let server =
        Server::start_with(&["ark.unseal=file", &format!("pos.terminal_ca={}", maker.path("ca.pem").display())]);
    server.operator().post("/v1/terminals", &json!({"serial": SERIAL, "model": "N900"})).ok();
    server
}

/// What `openssl` opens with `NAME.key`; what is issued is `04 ‖ x ‖ y ‖ SM3 ‖ key`, and it takes DER (GM/T 0009).
fn opened(maker: &Maker, name: &str, issued: &[u8]) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let integer = |bytes: &[u8]| {
        let first = bytes.iter().position(|byte| *byte != 0).unwrap();
        let sign: &[u8] = if bytes[first] < 0x80 { &[] } else { &[0] };
        field(2, &[sign, &bytes[first..]].concat())
    };
    let (x, y, digest, key) = (&issued[1..33], &issued[33..65], &issued[65..97], &issued[97..]);
    let der = field(0x30, &[integer(x), integer(y), field(4, digest), field(4, key)].concat());
    std::fs::write(maker.path("issued"), der).unwrap();
    let pair = format!("{name}.key");
    assert!(maker.openssl(&["pkeyutl", "-decrypt", "-inkey", &pair, "-in", "issued", "-out", "opened"]));
    std::fs::read(maker.path("opened")).unwrap()
}

#[test]
fn a_master_key_goes_out_for_a_certified_public_key_alone() {
    let (Some(maker), Some(other)) = (Maker::new(), Maker::new()) else { return };
    let server = started(&maker);
    let programs = server.operator();
    let subject = format!("/O=Maker/CN={SERIAL}");
    maker.issue("terminal", &subject, &[]).issue("stranger", "/CN=N900-0042118", &[]).issue("second", &subject, &[]);
    other.issue("terminal", &subject, &[]);
    let register = |body: Value| programs.post("/v1/terminals/trm_1/public-key", &body);
    let issue = |body: Value| programs.post("/v1/terminals/trm_1/key/issue", &body);
    let bare = json!({"public_key": hex::encode(maker.point("terminal"))});
    assert_eq!(register(bare.clone()).error(), (422, "certificate_required".into(), "certificate".into()));
    assert_eq!(issue(json!({})).error().1, "certificate_required");
    let both = json!({"public_key": bare["public_key"], "certificate": maker.read("terminal.pem")});
    assert_eq!(register(both).error(), (400, "field_malformed".into(), "public_key".into()));
    for (pem, code, what) in [
        (other.read("terminal.pem"), "certificate_untrusted", "signed by no CA of pos.terminal_ca"),
        (maker.read("stranger.pem"), "certificate_untrusted", "names another terminal"),
        (maker.read("terminal.key"), "field_malformed", "it is not PEM"),
    ] {
        for refused in [register(json!({"certificate": pem})), issue(json!({"certificate": pem}))] {
            assert_eq!(refused.error().1, code, "{what}");
            assert!(refused.text().contains(what), "{}", refused.text());
        }
    }
    let terminal = programs.get("/v1/terminals/trm_1").ok();
    assert_eq!((&terminal["public_key"], &terminal["key"]), (&Value::Null, &Value::Null), "nothing was made");

    let certificate = json!({"certificate": maker.read("terminal.pem")});
    register(certificate.clone()).ok();
    let issued = issue(certificate).ok();
    assert_eq!(text(&issued, "/key/name"), "terminal/1/master");
    let first = opened(&maker, "terminal", &hex::decode(text(&issued, "/issued/encrypted")).unwrap());
    assert_eq!(first.len(), 16);

    // The command line brings another certificate, whose key is registered first; without the certificate it is told what lacks.
    let lacks = server.lintel(&["terminal", "issue-key", "trm_1"]);
    assert!(!lacks.status.success() && String::from_utf8_lossy(&lacks.stderr).contains("certificate_required"));
    let file = maker.path("second.pem");
    let said = server.lintel(&["terminal", "issue-key", "trm_1", "--certificate", file.to_str().unwrap(), "--json"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(text(&said, "/public_key"), hex::encode_upper(maker.point("second")));
    let second = opened(&maker, "second", &hex::decode(text(&said, "/issued/encrypted")).unwrap());
    assert!(second.len() == 16 && second != first);
}

#[test]
fn without_a_ca_no_certificate_proves_anything() {
    let Some(maker) = Maker::new() else { return };
    maker.issue("terminal", &format!("/CN={SERIAL}"), &[]);
    let server = Server::start_with(&["ark.unseal=file"]);
    let programs = server.operator();
    programs.post("/v1/terminals", &json!({"serial": SERIAL, "model": "N900"})).ok();
    let certificate = json!({"certificate": maker.read("terminal.pem")});
    for target in ["/v1/terminals/trm_1/public-key", "/v1/terminals/trm_1/key/issue"] {
        let refused = programs.post(target, &certificate);
        assert_eq!(refused.error().1, "certificate_untrusted");
        assert!(refused.text().contains("set pos.terminal_ca"), "{}", refused.text());
    }
    let nothing = programs.post("/v1/terminals/trm_1/public-key", &json!({}));
    assert_eq!(nothing.error(), (400, "field_missing".into(), "public_key".into()));
}
