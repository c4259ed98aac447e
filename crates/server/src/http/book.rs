//! The chart of accounts: books, subjects and their sides.

use domain::book::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;

/// A subject of the general ledger (总账科目).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectView {
    #[schema(example = 2202)]
    code: u16,
    /// RESERVE, OWN or CUSTODY.
    #[schema(example = "RESERVE")]
    book: &'static str,
    /// The side on which it grows: `debit` or `credit`.
    #[schema(example = "credit")]
    side: &'static str,
    #[schema(example = "merchant, to be settled")]
    name: &'static str,
    #[schema(example = "商户待结算")]
    name_zh: &'static str,
    /// Whether users or merchants hold accounts of it.
    held_by_others: bool,
}

/// The chart of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubjectsView {
    /// By book and code.
    data: Vec<SubjectView>,
}

/// List the subjects (科目表)
#[utoipa::path(get, path = "/v1/subjects", tag = "book", responses((status = OK, body = SubjectsView)))]
pub(crate) async fn subjects(_: Caller) -> axum::Json<SubjectsView> {
    let subject = |subject: &Subject| SubjectView {
        code: subject.code(),
        book: subject.book().name(),
        side: subject.side().name(),
        name: subject.name(),
        name_zh: subject.name_zh(),
        held_by_others: subject.is_held_by_others(),
    };
    axum::Json(SubjectsView { data: Subject::ALL.iter().map(subject).collect() })
}
