//! How an engine ends.

/// How far an engine is from its end.
#[derive(Default)]
pub(super) struct End {
    /// A save failed: nothing may leave it any more.
    pub is_silenced: bool,
    /// It was asked to stop.
    pub is_asked: bool,
    /// It said that it stopped.
    pub is_reached: bool,
}
