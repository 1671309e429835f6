//! Units of time, so that none is mistaken for another.

use serde::{Deserialize, Serialize};

macro_rules! milliseconds {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
        pub struct $name(#[cfg_attr(feature = "wasm", tsify(type = "bigint"))] pub u64);

        impl $name {
            /// This time moved on by `milliseconds`, stopping at the end of the range.
            pub const fn plus(self, milliseconds: u64) -> Self {
                Self(self.0.saturating_add(milliseconds))
            }
        }

        #[cfg(feature = "uniffi")]
        uniffi::custom_type!($name, u64, {
            lower: |time| time.0,
            try_lift: |milliseconds| Ok($name(milliseconds)),
        });
    };
}

milliseconds!(
    /// Milliseconds of a clock that never goes back, from any start.
    Monotonic
);
milliseconds!(
    /// Milliseconds since 1970-01-01 00:00 UTC, as the device believes.
    UnixMs
);

/// The host's clocks at the moment of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Now {
    /// For deadlines. A value that goes back is taken as the latest one seen.
    pub monotonic: Monotonic,
    /// For stamps and people.
    pub unix: UnixMs,
}

/// A number of whatever unit is no time, and no clock's time is the other's.
///
/// ```compile_fail,E0308
/// use syncline_core::api::{Monotonic, Now};
/// Now { monotonic: Monotonic(1_000), unix: 1_767_225_600_000 };
/// ```
///
/// ```compile_fail,E0308
/// use syncline_core::api::{Monotonic, Now};
/// Now { monotonic: Monotonic(1_000), unix: Monotonic(1_767_225_600_000) };
/// ```
///
/// ```
/// use syncline_core::api::{Monotonic, Now, UnixMs};
/// Now { monotonic: Monotonic(1_000), unix: UnixMs(1_767_225_600_000) };
/// ```
#[cfg(doctest)]
fn r03_a_time_in_another_unit_is_no_program() {}
