//! Which way data goes between a member and the others.

use serde::{Deserialize, Serialize};

/// Which way data goes between a member and the others. In every mode it holds all messages, passes them on, and says how
/// far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum MemberMode {
    /// Both ways.
    #[default]
    Full,
    /// What it writes counts; nothing of others comes to its folders, tables or application.
    SendOnly,
    /// What others write comes to it; nothing that it writes counts.
    ReceiveOnly,
    /// Neither: it holds messages for the others.
    Relay,
}

impl MemberMode {
    /// What it writes counts.
    pub const fn sends(self) -> bool {
        matches!(self, MemberMode::Full | MemberMode::SendOnly)
    }

    /// What others write comes to its folders, tables and application.
    pub const fn takes(self) -> bool {
        matches!(self, MemberMode::Full | MemberMode::ReceiveOnly)
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: MemberMode) -> MemberMode {
        match (self.sends() && other.sends(), self.takes() && other.takes()) {
            (true, true) => MemberMode::Full,
            (true, false) => MemberMode::SendOnly,
            (false, true) => MemberMode::ReceiveOnly,
            (false, false) => MemberMode::Relay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MemberMode::{Full, ReceiveOnly, Relay, SendOnly};

    #[test]
    fn of_two_modes_both_hold() {
        let all = [Full, SendOnly, ReceiveOnly, Relay];
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (*one, *other))) {
            let both = one.and(other);
            assert_eq!(both.sends(), one.sends() && other.sends());
            assert_eq!(both.takes(), one.takes() && other.takes());
            assert_eq!(both, other.and(one));
        }
    }
}
