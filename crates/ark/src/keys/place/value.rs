//! Values of rows and parameters, as both databases have them.

use std::fmt;

/// A value of a column or a parameter.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl fmt::Debug for Value {
    /// Shows no text and no bytes: wrapped keys are secret enough.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("NULL"),
            Self::Int(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "text of {} bytes", text.len()),
            Self::Bytes(bytes) => write!(formatter, "{} bytes", bytes.len()),
        }
    }
}

macro_rules! from {
    ($($type:ty: $value:ident => $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

from! {
    i64: number => Self::Int(number);
    u32: number => Self::Int(number.into());
    bool: truth => Self::Int(truth.into());
    &str: text => Self::Text(text.to_owned());
    &String: text => Self::Text(text.clone());
    &[u8]: bytes => Self::Bytes(bytes.to_vec());
    &Vec<u8>: bytes => Self::Bytes(bytes.clone());
    Vec<u8>: bytes => Self::Bytes(bytes);
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::keys::place::Value::from($value)),*]
    };
}
pub(crate) use values;

/// A row of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Row(pub(super) Vec<Value>);

impl Row {
    /// The value of a column; `None` if it is of another type or is not there.
    pub(crate) fn get<T: Column>(&self, column: usize) -> Option<T> {
        T::of(self.0.get(column)?)
    }
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn of(value: &Value) -> Option<Self>;
}

impl Column for i64 {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Int(number) = value { Some(*number) } else { None }
    }
}

impl Column for u32 {
    fn of(value: &Value) -> Option<Self> {
        i64::of(value)?.try_into().ok()
    }
}

impl Column for bool {
    fn of(value: &Value) -> Option<Self> {
        match i64::of(value)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Column for String {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl Column for Vec<u8> {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.clone()) } else { None }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn of(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.as_slice().try_into().ok() } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::of(value).map(Some) }
    }
}
