//! Customers: one legal identity each. Names and numbers come in plain, are sealed at once and never shown again.
//!
//! The vault says whether an identity is known and gives it its id before the command; that is idempotent, so a request
//! that broke off in between is finished by the next one. An identity that is registered already answers its customer.

use std::sync::Arc;

use ark::{CertificateType, Identity, Known, Secret, Vault};
use axum::extract::State;
use domain::customer::{Customer, CustomerKind, Verification};
use domain::ids::CustomerId;
use domain::{Command, RefusalCode, Reply};
use engine::Meta;
use node::fields::{self, CERTIFICATE_NUMBER, CUSTOMER_NAME, CUSTOMER_PHONE};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use utoipa::ToSchema;

use super::App;
use super::answer::{Answer, Answered};
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Json, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::sensitive::Personal;
use super::wire::{parse, time_text, word};

/// The most customers of one batch.
const MAX_BATCH: usize = 500;

/// Who to register.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCustomer {
    /// `person` (自然人) or `company` (法人).
    #[schema(example = "person")]
    kind: String,
    /// The legal name.
    #[schema(example = "张三")]
    name: Personal,
    /// The certificate that says so.
    certificate: Certificate,
    /// The phone number.
    #[schema(example = "13800001234")]
    phone: Option<Personal>,
}

/// A certificate (证件).
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// `resident_identity`, `passport`, `hong_kong_macao_permit`, `taiwan_permit`, `foreign_permanent_residence` or
    /// `unified_social_credit`.
    #[schema(example = "resident_identity")]
    r#type: String,
    /// Its number.
    #[schema(example = "11010519491231002X")]
    number: Personal,
}

/// Several to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCustomers {
    /// 1 to 500.
    customers: Vec<NewCustomer>,
}

/// A customer; of personal data only what a mask shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomerView {
    #[schema(example = "cus_12")]
    id: String,
    /// `person` or `company`.
    #[schema(example = "person")]
    kind: &'static str,
    /// The name's mask.
    #[schema(example = "张*")]
    name: String,
    /// The certificate number's mask.
    #[schema(example = "110***********002X")]
    certificate: String,
    /// The phone number's mask.
    #[schema(example = "138****1234")]
    phone: Option<String>,
    /// What a bank said of who it is (实名核验); null while no real-name check matched.
    verification: Option<RealNameLevelView>,
    /// What may be done with it now.
    allowed_actions: Vec<&'static str>,
}

/// The level to which a customer is verified.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RealNameLevelView {
    /// How many elements matched: 3 (name, certificate, card) or 4 (and phone).
    #[schema(example = 4)]
    elements: u8,
    /// The real-name check that says so.
    #[schema(example = "rnc_2")]
    check: String,
    #[schema(example = "epcc")]
    rail: &'static str,
    at: String,
}

impl RealNameLevelView {
    fn of(verification: &Verification) -> Self {
        let Verification { elements, check, rail, at } = verification;
        Self { elements: elements.count(), check: check.to_string(), rail: rail.name(), at: time_text(*at) }
    }
}

/// The customers of a batch, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomersView {
    data: Vec<CustomerView>,
}

const KINDS: [CustomerKind; 2] = [CustomerKind::Person, CustomerKind::Company];

const fn kind_name(kind: CustomerKind) -> &'static str {
    match kind {
        CustomerKind::Person => "person",
        CustomerKind::Company => "company",
    }
}

impl CustomerView {
    fn of(customer: &Customer) -> Self {
        Self {
            id: customer.id.to_string(),
            kind: kind_name(customer.kind),
            name: customer.name.mask.clone(),
            certificate: customer.certificate.mask.clone(),
            phone: customer.phone.as_ref().map(|phone| phone.mask.clone()),
            verification: customer.verification.as_ref().map(RealNameLevelView::of),
            allowed_actions: vec!["open_user", "open_merchant"],
        }
    }
}

impl NewCustomer {
    fn identity(&self) -> Result<Identity, ApiError> {
        let certificate: CertificateType = parse(&self.certificate.r#type, "certificate.type")?;
        let number = self.certificate.number.checked("certificate.number")?;
        Identity::new(certificate, number).map_err(|error| ApiError::malformed("certificate.number", error.to_string()))
    }

    /// Checks everything that the vault does not need for.
    fn check(&self) -> Result<Identity, ApiError> {
        word(&self.kind, "kind", &KINDS, kind_name)?;
        self.name.checked("name")?;
        self.phone.as_ref().map(|phone| phone.checked("phone")).transpose()?;
        self.identity()
    }

    fn sealed(&self, vault: &Vault, known: Known, identity: &Identity) -> Result<Customer, ApiError> {
        let id = match known {
            Known::Created(id) | Known::Existing(id) => id,
            Known::Erased(_) => {
                let message = "the personal data of this identity was erased; it cannot be registered again";
                return Err(ApiError::new("customer_erased", Some("certificate.number"), message));
            }
        };
        let seal = |field, text: &Secret| fields::seal(vault, id, field, text).map_err(sealing_failed);
        Ok(Customer {
            id: CustomerId(id.0),
            kind: word(&self.kind, "kind", &KINDS, kind_name)?,
            name: seal(CUSTOMER_NAME, self.name.checked("name")?)?,
            certificate: seal(CERTIFICATE_NUMBER, identity.number())?,
            phone: match &self.phone {
                Some(phone) => Some(seal(CUSTOMER_PHONE, phone.checked("phone")?)?),
                None => None,
            },
            verification: None,
        })
    }
}

/// A failure of the vault, told without what was to be sealed. A disk that fails may come back.
pub(crate) fn sealing_failed(error: ark::Error) -> ApiError {
    if let Some(error) = error.of_keys() {
        return super::ark::error_of(error);
    }
    if let ark::Error::Database { .. } | ark::Error::File { .. } = &error {
        tracing::error!(%error, "the vault cannot be used");
        return ApiError::new("unavailable", None, "the vault cannot be used now; nothing was done, try again shortly");
    }
    ApiError::internal("sealing personal data", &error)
}

/// Finds or makes the identities in one transaction, then seals every field.
fn seal_all(vault: &Vault, customers: &[NewCustomer], identities: &[Identity]) -> Result<Vec<Customer>, ApiError> {
    let known = vault.get_or_create_many(identities).map_err(sealing_failed)?;
    customers
        .iter()
        .zip(known)
        .zip(identities)
        .map(|((new, known), identity)| new.sealed(vault, known, identity))
        .collect()
}

impl App {
    async fn seal(&self, customers: Vec<NewCustomer>) -> Result<Vec<Customer>, ApiError> {
        let vault = Arc::clone(&self.vault);
        let check = |(index, customer): (usize, &NewCustomer)| {
            let many = customers.len() > 1;
            customer.check().map_err(|error| if many { error.within(&format!("customers[{index}]")) } else { error })
        };
        let identities = customers.iter().enumerate().map(check).collect::<Result<Vec<_>, _>>()?;
        self.blocking(move || seal_all(&vault, &customers, &identities)).await
    }

    /// Registers a sealed customer; one that is registered already is the answer.
    async fn register(self, meta: Meta, customer: Customer) -> Answered<CustomerView> {
        let id = customer.id;
        let view = move |state: &domain::State, reply: &Reply| {
            let Reply::Customer(id) = reply else { return None };
            state.customers.get(id.0).map(CustomerView::of)
        };
        match self.change(meta, Command::RegisterCustomer(customer), view).await {
            Err(error) if error.code() == RefusalCode::AlreadyExists.name() => {
                let answer = self.look(move |state| state.customer(id).map(CustomerView::of)).await?;
                Ok(Answer { repeated: true, ..answer })
            }
            answer => answer,
        }
    }
}

/// Register a customer
///
/// An identity (certificate type and number) is one customer: asked again it answers the same one, as it was registered.
#[utoipa::path(post, path = "/v1/customers", tag = "customer", responses((status = OK, body = CustomerView)))]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewCustomer>,
) -> Answered<CustomerView> {
    caller.operator()?;
    let meta = caller.meta()?;
    let sealed = app.seal(vec![new]).await?;
    let Some(customer) = sealed.into_iter().next() else {
        return Err(ApiError::new("internal", None, "nothing was sealed"));
    };
    app.register(meta, customer).await
}

/// Register up to 500 customers
///
/// Each by itself, answered in the order of the request.
#[utoipa::path(post, path = "/v1/customers/batch", tag = "customer", responses((status = OK, body = CustomersView)))]
pub(crate) async fn register_batch(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewCustomers>,
) -> Answered<CustomersView> {
    caller.operator()?;
    let count = new.customers.len();
    if !(1..=MAX_BATCH).contains(&count) {
        let message = format!("{count} customers are not a batch; send 1 to {MAX_BATCH}");
        return Err(ApiError::malformed("customers", message));
    }
    let metas = (0..count).map(|index| caller.meta_part(index)).collect::<Result<Vec<_>, _>>()?;
    let mut registered = JoinSet::new();
    for (index, (meta, customer)) in metas.into_iter().zip(app.seal(new.customers).await?).enumerate() {
        let app = app.clone();
        registered.spawn(async move { (index, app.register(meta, customer).await) });
    }
    let mut answers = registered.join_all().await;
    answers.sort_unstable_by_key(|(index, _)| *index);
    let (mut data, mut position, mut repeated) = (Vec::with_capacity(count), 0, true);
    for (index, answer) in answers {
        let answer = answer.map_err(|error| error.within(&format!("customers[{index}]")))?;
        position = position.max(answer.position);
        repeated &= answer.repeated;
        data.push(answer.view);
    }
    Ok(Answer { view: CustomersView { data }, position, repeated })
}

/// Look at a customer
#[utoipa::path(
    get, path = "/v1/customers/{id}", tag = "customer", params(("id" = String, Path, example = "cus_12")),
    responses((status = OK, body = CustomerView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<CustomerId>) -> Answered<CustomerView> {
    caller.operator()?;
    app.look(move |state| state.customer(id).map(CustomerView::of)).await
}

list_query! {
    /// Which customers.
    pub(crate) struct CustomerQuery {
        /// `person` or `company`.
        kind,
    }
}

/// List customers
#[utoipa::path(
    get, path = "/v1/customers", tag = "customer", params(CustomerQuery),
    responses((status = OK, body = PageView<CustomerView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CustomerQuery>,
) -> ListAnswer<CustomerView> {
    caller.operator()?;
    let kind = query.kind.as_deref().map(|text| word(text, "kind", &KINDS, kind_name)).transpose()?;
    app.list(store::customer::CustomerFilter { kind }, query.page(), |_, customer| CustomerView::of(customer)).await
}
