//! How a device fails: stable codes, the device and the call by name, the remedy, and nothing of a key or password.

/// A device that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// A library that is not there, cannot be loaded, or is no library of this interface.
    #[error("device {device}: the library {path} cannot be used: {problem}")]
    Library {
        /// The device's name in the configuration.
        device: String,
        /// Where the library should be.
        path: String,
        /// What is wrong, and what would be right.
        problem: String,
    },

    /// A setting that cannot be.
    #[error("{what}: {needed}")]
    Configuration {
        /// The setting and its value.
        what: String,
        /// What would be right.
        needed: &'static str,
    },

    /// The device does not know the operation.
    #[error("device {device} cannot {operation}: {reason}")]
    Unsupported {
        /// The device's name in the configuration.
        device: String,
        /// What was asked.
        operation: &'static str,
        /// What it lacks.
        reason: String,
    },

    /// The device refused the password of a key or a slot.
    #[error(
        "device {device} refused the password of {what}; correct it in the configuration: devices lock after a few"
    )]
    Password {
        /// The device's name in the configuration.
        device: String,
        /// Which key or slot.
        what: String,
    },

    /// The device has no such key.
    #[error("device {device} has no {what}: make it with the vendor's tool, or correct the configuration")]
    NoKey {
        /// The device's name in the configuration.
        device: String,
        /// Which key.
        what: String,
    },

    /// The device takes no further session.
    #[error("device {device} takes no further session ({status}): lower `sessions`, or end what else uses it")]
    Full {
        /// The device's name in the configuration.
        device: String,
        /// What it answered.
        status: String,
    },

    /// Every session was in use for as long as one may wait.
    #[error("all {sessions} sessions of the devices were in use for {waited_ms} ms: raise `sessions`, or add a device")]
    Busy {
        /// How many sessions there are.
        sessions: usize,
        /// How long was waited.
        waited_ms: u128,
    },

    /// The connection or the device is gone: another session may do.
    #[error("device {device} is lost: {operation} answered {status}")]
    Lost {
        /// The device's name in the configuration.
        device: String,
        /// What was asked.
        operation: &'static str,
        /// What it answered, or how the connection ended.
        status: String,
    },

    /// The device refused the operation.
    #[error("device {device}: {operation} answered {status}")]
    Refused {
        /// The device's name in the configuration.
        device: String,
        /// What was asked.
        operation: &'static str,
        /// What it answered.
        status: String,
    },

    /// What the device answered is of another length or form than its interface says. The session is not used again.
    #[error("device {device}: {operation} answered {problem}; its firmware or library does not fit this interface")]
    Answer {
        /// The device's name in the configuration.
        device: String,
        /// What was asked.
        operation: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },

    /// No device is left.
    #[error("no device answers: {tried}; they are tried again with every call")]
    Unavailable {
        /// Each device, and why it does not.
        tried: String,
    },
}

impl DeviceError {
    /// The stable code, for interfaces and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Library { .. } => "device_library",
            Self::Configuration { .. } => "device_configuration",
            Self::Unsupported { .. } => "device_unsupported",
            Self::Password { .. } => "device_password",
            Self::NoKey { .. } => "device_key_missing",
            Self::Full { .. } | Self::Busy { .. } => "device_busy",
            Self::Lost { .. } => "device_lost",
            Self::Refused { .. } => "device_refused",
            Self::Answer { .. } => "device_answer",
            Self::Unavailable { .. } => "device_unavailable",
        }
    }

    /// Whether another session, or another device, may do what this one did not.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether the session that answered so is not to be used again.
    pub(crate) const fn spoils_session(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Answer { .. })
    }
}
