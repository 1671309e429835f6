//! Where a link stands, and what leads where.

use super::LinkError;

/// Where one link stands. A link is never reused: it opens once and closes once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The peer has not said who it is.
    AwaitingHello,
    /// Both may speak.
    Open,
    /// Nothing more is read or sent.
    Closed,
}

/// What moves a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Input {
    /// A hello that is acceptable.
    Hello,
    /// Any other frame.
    Frame,
    /// An error, or the end of the pipe.
    End,
}

impl State {
    /// The next state.
    pub(super) fn after(self, input: Input) -> Result<State, LinkError> {
        match (self, input) {
            (_, Input::End) => Ok(State::Closed),
            (State::AwaitingHello, Input::Hello) => Ok(State::Open),
            (State::AwaitingHello, Input::Frame) => Err(LinkError::HelloMissing),
            (State::Open, Input::Frame) => Ok(State::Open),
            (State::Open, Input::Hello) => Err(LinkError::HelloRepeated),
            (State::Closed, Input::Hello | Input::Frame) => Err(LinkError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_once_and_closes_once() {
        use State::{AwaitingHello, Closed, Open};
        for (state, input, next) in [
            (AwaitingHello, Input::Hello, Ok(Open)),
            (AwaitingHello, Input::Frame, Err(LinkError::HelloMissing)),
            (AwaitingHello, Input::End, Ok(Closed)),
            (Open, Input::Hello, Err(LinkError::HelloRepeated)),
            (Open, Input::Frame, Ok(Open)),
            (Open, Input::End, Ok(Closed)),
            (Closed, Input::Hello, Err(LinkError::Closed)),
            (Closed, Input::Frame, Err(LinkError::Closed)),
            (Closed, Input::End, Ok(Closed)),
        ] {
            assert_eq!(state.after(input), next, "{state:?} after {input:?}");
        }
    }
}
