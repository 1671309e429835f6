//! Planting faults, in a process of its own: a planted fault holds for all engines of one.

use syncline_core::planted::{Planted, plant, planted};

#[test]
fn one_fault_at_a_time_is_planted_and_none_at_first() {
    assert!(Planted::ALL.iter().all(|fault| !planted(*fault)));
    for one in Planted::ALL {
        plant(Some(*one));
        let wrong: Vec<&Planted> = Planted::ALL.iter().filter(|fault| planted(**fault)).collect();
        assert_eq!(wrong, [one]);
    }
    plant(None);
    assert!(Planted::ALL.iter().all(|fault| !planted(*fault)));
}
