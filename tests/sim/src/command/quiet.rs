//! Playing without the noise of panics, which are how a judge stops a world.

use std::cell::RefCell;
use std::panic;

use syncline_sim::story::{Options, Played};
use syncline_sim::{Invariant, Tale};

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_PLAYING: RefCell<bool> = const { RefCell::new(false) };
}

/// From now on panics of worlds say nothing; all others are told as ever.
pub fn hush() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !IS_PLAYING.with_borrow(|playing| *playing) {
            return before(panic);
        }
        let place = panic.location().map(ToString::to_string);
        PLACE.with_borrow_mut(|known| *known = place);
    }));
}

/// Plays a story; a panic of the engine is told with its place.
pub fn play(story: &Tale, options: Options) -> Played {
    let mut played = quietly(|| story.play(options));
    let violation = played.violation.as_mut().filter(|violation| violation.invariant == Invariant::NoPanic);
    if let (Some(violation), Some(place)) = (violation, PLACE.take()) {
        violation.message = format!("{} (at {place})", violation.message);
    }
    played
}

/// Does something in which worlds may panic.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    IS_PLAYING.set(true);
    let done = work();
    IS_PLAYING.set(false);
    done
}
