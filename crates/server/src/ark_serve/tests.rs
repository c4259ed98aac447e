//! The platform's side of it against the real one: `RemoteKeys` over TLS, in one process.

mod financial;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ark::keys::{By, Change, Context, Error, KeyUse as _, Purpose, Role, SIGNING_KEY, Spec, Step, VAULT_KEY};
use ark::provider::{KeyError, KeyKind};
use ark::vault::RewrapFrom;
use ark::{CertificateType, Identity, KeyService, Vault};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{App, Ark, Door, Peer, router};
use crate::authority::Authority;
use crate::config::{ArkRemote, Config};
use crate::http::auth::OPERATOR;
use crate::shell::clock::wall_ms;
use crate::shell::remote_keys::RemoteKeys;
use crate::tls::Files;

const PATIENCE: Duration = Duration::from_secs(60);
const BY: By<'static> = By::new("ignored", "a test", 1_000);

fn files(authority: &Authority, name: &str) -> Files {
    let of = |file: String| authority.path(&file).into();
    Files { certificate: of(format!("{name}.pem")), key: of(format!("{name}.key")), ca: of("ca.pem".to_owned()) }
}

/// A key service with its own directory, served while this is.
struct Served {
    /// Dropped first: requests end before the key service does.
    runtime: Option<Runtime>,
    ark: Arc<Ark>,
    address: SocketAddr,
    _directory: TempDir,
}

impl Served {
    fn new(authority: &Authority) -> Self {
        let directory = TempDir::new().unwrap();
        let config = Config::load(None, &["ark.unseal=file".to_owned()]).unwrap();
        let ark = Arc::new(Ark::start_alone(directory.path(), &config.ark).unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served = Self { runtime: None, ark, address, _directory: directory };
        served.begin(authority);
        served
    }

    /// Serves, at the address it had.
    fn begin(&mut self, authority: &Authority) {
        let listener = StdListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (tls, app) = (files(authority, "server").server().unwrap(), App::alone(Arc::clone(&self.ark)));
        let runtime = Runtime::new().unwrap();
        runtime.spawn(async move {
            let door = Door::open(tokio::net::TcpListener::from_std(listener).unwrap(), Some(tls));
            axum::serve(door, router(app).into_make_service_with_connect_info::<Peer>()).await
        });
        self.runtime = Some(runtime);
    }

    /// Ends it as a killed process would: connections break.
    fn end(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(PATIENCE);
    }

    fn service(&self) -> Arc<KeyService> {
        self.ark.service().unwrap().unwrap()
    }

    fn allow(&self, operations: &[&str]) {
        let by = By::new(OPERATOR, "", 1_000);
        let operations = operations.iter().map(|name| (*name).to_owned()).collect();
        let (caller, prefix) = ("platform".to_owned(), "platform/".to_owned());
        self.service().change_access(&by, &Change::Allow { caller, prefix, operations }, None).unwrap();
    }

    fn remote(&self, authority: &Authority, name: &str, timeout_ms: u64) -> RemoteKeys {
        let Files { certificate, key, ca } = files(authority, name);
        let url = format!("https://{}", self.address);
        RemoteKeys::new(&ArkRemote { url, certificate, certificate_key: key, ca, timeout_ms }).unwrap()
    }
}

fn authority() -> Option<Authority> {
    let authority = Authority::new()?;
    authority.issue_all(&["server", "platform", "stranger"]);
    Some(authority)
}

const ALL: &[&str] = &["encrypt", "decrypt", "hmac", "verify-hmac", "sign", "verify"];

fn made_for_platform(served: &Served) {
    let by = By::new(OPERATOR, "", 1_000);
    let grant = Change::Grant { caller: "platform".to_owned(), role: Role::Operator };
    served.service().change_access(&by, &grant, None).unwrap();
    served.allow(ALL);
}

#[test]
fn every_operation_is_as_in_one_process() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    made_for_platform(&served);
    let keys = served.remote(&authority, "platform", 10_000);
    let spec = Spec::new("platform/fields", KeyKind::Sm4, Purpose::Encrypt);
    assert!(matches!(keys.info("platform/fields"), Err(Error::Unknown(name)) if name == "platform/fields"));
    let made = keys.ensure(&BY, &spec).unwrap();
    assert_eq!(made, keys.ensure(&BY, &spec).unwrap(), "made once");
    assert_eq!(made, served.service().info("platform/fields").unwrap());
    let other = Spec::new("platform/fields", KeyKind::HmacSm3, Purpose::Mac);
    assert!(matches!(keys.ensure(&BY, &other), Err(Error::OtherKey(_))));

    let context = Context::from([("customer".to_owned(), "7".to_owned())]);
    let text = keys.encrypt(&BY, "platform/fields", &context, b"a secret").unwrap();
    assert_eq!(keys.decrypt(&BY, "platform/fields", &context, &text).unwrap().as_slice(), b"a secret");
    assert!(matches!(keys.decrypt(&BY, "platform/fields", &Context::new(), &text), Err(Error::Decryption)));
    let none = Context::new();
    let many = keys.encrypt_many(&BY, "platform/fields", &[(&context, b"one"), (&none, b"")]).unwrap();
    let many: Vec<String> = many.into_iter().map(Result::unwrap).collect();
    let opened = keys.decrypt_many(&BY, "platform/fields", &[(&context, &many[0]), (&context, &many[1])]).unwrap();
    assert_eq!(opened[0].as_ref().unwrap().as_slice(), b"one");
    assert!(matches!(opened[1], Err(Error::Decryption)));
    let values = vec![(&none, b"".as_slice()); 1_001];
    assert!(matches!(keys.encrypt_many(&BY, "platform/fields", &values), Err(Error::BatchTooLarge { .. })));

    keys.ensure(&BY, &Spec::new("platform/tags", KeyKind::HmacSm3, Purpose::Mac)).unwrap();
    let tag = keys.hmac(&BY, "platform/tags", b"message").unwrap();
    keys.verify_hmac(&BY, "platform/tags", b"message", &tag).unwrap();
    let wrong = keys.verify_hmac(&BY, "platform/tags", b"another", &tag);
    assert!(matches!(wrong, Err(Error::Provider(KeyError::Tag))));
    keys.ensure(&BY, &Spec::new("platform/notices", KeyKind::Sm2, Purpose::Sign)).unwrap();
    let signature = keys.sign(&BY, "platform/notices", b"message").unwrap();
    keys.verify(&BY, "platform/notices", b"message", &signature).unwrap();
    let wrong = keys.verify(&BY, "platform/notices", b"another", &signature);
    assert!(matches!(wrong, Err(Error::Provider(KeyError::Signature))));
    assert_eq!(keys.public_key("platform/notices").unwrap().unwrap().kind, KeyKind::Sm2);
    assert_eq!(keys.public_key("platform/tags").unwrap(), None);

    let used = keys.encrypt(&BY, "platform/tags", &context, b"").map_err(|error| error.code());
    assert_eq!(used.err(), Some("key_usage"));
    let trail = served.service().audit(0, 1_000).unwrap();
    assert!(trail.iter().any(|record| record.act.caller == "platform" && record.act.operation == "sign"));
    assert!(trail.iter().all(|record| record.act.caller != BY.caller), "who it says it is counts for nothing");
    let stranger = served.remote(&authority, "stranger", 10_000);
    let refused = stranger.decrypt(&BY, "platform/fields", &context, &text).map_err(|error| error.code());
    assert_eq!(refused.err(), Some("not_permitted"));
}

#[test]
fn a_next_signing_key_waits_where_the_keys_are() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    made_for_platform(&served);
    let keys = served.remote(&authority, "platform", 10_000);
    keys.ensure(&BY, &Spec::new(SIGNING_KEY, KeyKind::Sm2, Purpose::Sign)).unwrap();
    let by = By::new(OPERATOR, "", wall_ms());
    served.service().rotate(&by, SIGNING_KEY).unwrap();
    let told = keys.info(SIGNING_KEY).unwrap();
    assert_eq!(told, served.service().info(SIGNING_KEY).unwrap());
    assert_eq!(told.versions[1].signs_from, Some(by.now + 172_800_000));
    assert_eq!(keys.public_key(SIGNING_KEY).unwrap(), told.versions[0].public);
    let signed = || keys.sign(&BY, SIGNING_KEY, b"message").unwrap();
    assert!(signed().starts_with("ark:v1:"));
    served.service().step(&by, SIGNING_KEY, 1, Step::Suspend).unwrap();
    assert!(signed().starts_with("ark:v2:"));
    assert_eq!(keys.public_key(SIGNING_KEY).unwrap(), told.versions[1].public);
}

#[test]
fn a_vault_whose_keys_are_elsewhere_moves_and_names_what_does_not() {
    let Some(authority) = authority() else { return };
    let served = Served::new(&authority);
    made_for_platform(&served);
    let directory = TempDir::new().unwrap();
    let keys = Arc::new(served.remote(&authority, "platform", 10_000));
    let vault = Vault::open(directory.path(), keys).unwrap();
    let passport = |number: &str| Identity::new(CertificateType::Passport, &number.into()).unwrap();
    vault.get_or_create_many(&["E10000001", "E10000002", "E10000003"].map(passport)).unwrap();
    let by = By::new(OPERATOR, "", 1_000);
    served.service().rotate(&by, VAULT_KEY).unwrap();
    // The MAC root and customer 1; then the old version may not open any more.
    let data_keys = vault.rewrap_page(RewrapFrom::default(), 9).unwrap().next.unwrap();
    let behind = vault.rewrap_page(data_keys, 1).unwrap();
    assert_eq!((behind.moved, vault.newest_version().unwrap()), (1, 2));
    served.service().step(&by, VAULT_KEY, 1, Step::Compromise).unwrap();
    let page = vault.rewrap_page(behind.next.unwrap(), 9).unwrap();
    assert_eq!((page.moved, page.changed, page.refused), (0, 0, 2));
    let damages = vault.verify().unwrap().damages;
    let names =
        |customer: u64| format!("data key {customer} of customer {customer}: version 1 of key `platform/vault` is");
    assert_eq!(damages.len(), 2, "{damages:?}");
    assert!(damages.iter().zip([2, 3]).all(|(damage, customer)| damage.starts_with(&names(customer))), "{damages:?}");
}

#[test]
fn a_key_service_that_is_sealed_or_gone_is_an_error_and_works_again() {
    let Some(authority) = authority() else { return };
    let mut served = Served::new(&authority);
    made_for_platform(&served);
    let keys = served.remote(&authority, "platform", 10_000);
    keys.ensure(&BY, &Spec::new("platform/tags", KeyKind::HmacSm3, Purpose::Mac)).unwrap();
    assert!(!keys.is_sealed(), "known from the last answer");
    let tag = keys.hmac(&BY, "platform/tags", b"message").unwrap();

    served.end();
    let gone = keys.hmac(&BY, "platform/tags", b"message");
    let Err(Error::Unavailable { at, .. }) = &gone else { panic!("{gone:?}") };
    assert!(at.contains(&served.address.to_string()) && keys.is_sealed());
    served.begin(&authority);
    keys.verify_hmac(&BY, "platform/tags", b"message", &tag).unwrap();
    assert!(!keys.is_sealed());

    served.service().seal(&By::new(OPERATOR, "", 1_000)).unwrap();
    assert!(matches!(keys.hmac(&BY, "platform/tags", b"message"), Err(Error::Sealed)));
    assert!(matches!(keys.info("platform/tags"), Err(Error::Sealed)));
    assert!(keys.is_sealed());
}

#[test]
fn a_key_service_that_hangs_is_unavailable_after_its_time() {
    let Some(authority) = authority() else { return };
    let mut served = Served::new(&authority);
    served.end();
    // Takes connections and says nothing.
    let _silent = StdListener::bind(served.address).unwrap();
    let keys = served.remote(&authority, "platform", 50);
    let began = Instant::now();
    let hung = keys.sign(&BY, "platform/notices", b"message").map_err(|error| error.code());
    assert_eq!(hung.err(), Some("keys_unavailable"));
    assert!(began.elapsed() < PATIENCE, "it waited");
    drop(keys);
}

#[test]
fn whose_certificate_is_another_ca_s_is_not_asked() {
    let (Some(authority), Some(other)) = (authority(), Authority::new()) else { return };
    other.issue_all(&["platform"]);
    let served = Served::new(&authority);
    for (shown, trusted) in [(&other, &authority), (&authority, &other)] {
        let Files { certificate, key, .. } = files(shown, "platform");
        let (url, ca) = (format!("https://{}", served.address), files(trusted, "platform").ca);
        let keys =
            RemoteKeys::new(&ArkRemote { url, certificate, certificate_key: key, ca, timeout_ms: 10_000 }).unwrap();
        let refused = keys.hmac(&BY, "platform/tags", b"").map_err(|error| error.code());
        assert_eq!(refused.err(), Some("keys_unavailable"));
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refused = |url: &str| {
        let (certificate, certificate_key, ca) =
            ("/nowhere.pem".into(), "/nowhere.key".into(), "/nowhere-ca.pem".into());
        let config = ArkRemote { url: url.to_owned(), certificate, certificate_key, ca, timeout_ms: 1 };
        format!("{:#}", RemoteKeys::new(&config).map(drop).unwrap_err())
    };
    assert!(refused("http://127.0.0.1:1").contains("https://"));
    assert!(refused("https://127.0.0.1:1").contains("/nowhere"));
}
