use super::*;

const TAGS: &str = "CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, slot INT, note TEXT,
    CHECK (slot <> 99)); CREATE UNIQUE INDEX s ON tags (slot) WHERE slot > 0;";
const ALL: &str = "SELECT id, name, slot FROM tags ORDER BY id";

fn tags() -> Bench {
    Bench::new(TAGS, &[shared("tags")])
}

fn tag(key: &str, at: u64, name: &str, slot: i64) -> RowState {
    row("tags", key, at, &[("name", text(name)), ("slot", Value::Integer(slot))])
}

#[test]
fn the_later_stamp_keeps_the_unique_value_in_both_orders() {
    let rows = [tag("a", 1, "rock", 0), tag("b", 2, "ROCK", 0)];
    for order in [[0, 1], [1, 0]] {
        let bench = tags();
        let mut told = 0;
        for index in order {
            told += bench.apply_knowing(&rows[index..=index], &rows).notices.len();
        }
        assert_eq!((bench.rows(ALL), told), (vec!["'b'|'ROCK'|0".to_string()], 1));
        let aside = bench.database.set_aside("tags", 9).unwrap();
        assert_eq!(aside, [SetAside { trouble: Trouble::Unique, state: rows[0].clone() }]);
        assert_eq!(bench.database.noted().unwrap(), 0, "what is set aside was not deleted");
    }
}

#[test]
fn a_row_comes_back_when_what_displaced_it_goes() {
    let bench = tags();
    let rows = [tag("a", 1, "rock", 0), tag("b", 2, "rock", 0)];
    let applied = bench.apply(&rows);
    assert_eq!((applied.created, applied.deleted, applied.notices.len()), (1, 0, 1));
    let renamed = tag("b", 3, "pop", 0);
    let applied = bench.apply_knowing(std::slice::from_ref(&renamed), &[rows[0].clone(), renamed.clone()]);
    assert_eq!((applied.created, applied.updated), (1, 1));
    let mut changed = applied.changed;
    changed.sort();
    assert_eq!(changed, rows.each_ref().map(|row| ("tags".to_string(), row.name.key.clone())));
    assert_eq!(bench.rows(ALL), ["'a'|'rock'|0", "'b'|'pop'|0"]);
    assert!(!bench.database.has_aside().unwrap());
}

#[test]
fn a_row_comes_back_when_the_application_deletes_what_displaced_it() {
    let bench = tags();
    let rows = [tag("a", 1, "rock", 0), tag("b", 2, "rock", 0)];
    bench.apply(&rows);
    bench.run("DELETE FROM tags");
    bench.take();
    assert_eq!(bench.apply_knowing(&[], &rows).created, 1);
    assert_eq!(bench.rows(ALL), ["'a'|'rock'|0"]);
}

#[test]
fn rows_that_exchange_their_values_both_stand() {
    for keys in [["a", "b"], ["b", "a"]] {
        let bench = tags();
        bench.apply(&[tag("a", 1, "rock", 0), tag("b", 1, "pop", 0)]);
        let states = [tag(keys[0], 2, if keys[0] == "a" { "pop" } else { "rock" }, 0), {
            tag(keys[1], 2, if keys[1] == "a" { "pop" } else { "rock" }, 0)
        }];
        let applied = bench.apply(&states);
        assert_eq!((applied.created, applied.updated, applied.deleted, applied.notices.len()), (0, 2, 0, 0));
        assert_eq!(bench.rows(ALL), ["'a'|'pop'|0", "'b'|'rock'|0"]);
        assert!(!bench.database.has_aside().unwrap());
    }
}

#[test]
fn what_the_application_has_just_written_keeps_its_value_until_it_is_stamped() {
    let bench = tags();
    bench.run("INSERT INTO tags VALUES ('mine', 'rock', 0, NULL)");
    let theirs = tag("theirs", 5, "rock", 0);
    assert_eq!(bench.apply(std::slice::from_ref(&theirs)).notices[0].trouble, Trouble::Unique);
    bench.take();
    let mine = tag("mine", 6, "rock", 0);
    bench.apply_knowing(&[], &[mine, theirs.clone()]);
    assert_eq!(bench.rows(ALL), ["'mine'|'rock'|0"]);
    bench.apply_knowing(&[], &[tag("mine", 4, "rock", 0), theirs]);
    assert_eq!(bench.rows(ALL), ["'theirs'|'rock'|0"]);
}

#[test]
fn a_row_set_aside_that_the_application_makes_anew_is_the_applications() {
    let bench = tags();
    let rows = [tag("a", 1, "rock", 0), tag("b", 2, "rock", 0)];
    bench.apply(&rows);
    bench.run("INSERT INTO tags VALUES ('a', 'jazz', 0, 'new')");
    bench.apply_knowing(&[], &rows);
    assert_eq!(bench.rows(ALL), ["'a'|'jazz'|0", "'b'|'rock'|0"]);
    assert!(!bench.database.has_aside().unwrap());
    assert_eq!(bench.told(), ["tags 'a': insert name='jazz' slot=0 note='new'"]);
}

#[test]
fn a_constraint_that_replaces_by_itself_does_not_decide() {
    let schema = "CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT UNIQUE ON CONFLICT REPLACE)";
    let bench = Bench::new(schema, &[shared("tags")]);
    let rows = [row("tags", "a", 2, &[("name", text("x"))]), row("tags", "b", 1, &[("name", text("x"))])];
    bench.apply(&rows);
    assert_eq!(bench.rows("SELECT id FROM tags"), ["'a'"]);
}

#[test]
fn an_index_of_an_expression_is_unique_too() {
    let schema = "CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT); CREATE UNIQUE INDEX e ON tags (lower(name))";
    for order in [[0, 1], [1, 0]] {
        let bench = Bench::new(schema, &[shared("tags")]);
        let rows = [row("tags", "a", 2, &[("name", text("X"))]), row("tags", "b", 1, &[("name", text("x"))])];
        for index in order {
            bench.apply_knowing(&rows[index..=index], &rows);
        }
        assert_eq!(bench.rows("SELECT id FROM tags"), ["'a'"]);
    }
}

/// What stands in a table that is filled in the order of the ranks: the rule, said another way.
fn expected(states: &[RowState]) -> Vec<String> {
    let value = |state: &RowState, name: &str| {
        let value = state.values.iter().find(|value| value.property == name).unwrap();
        (Value::decode(&value.value).unwrap(), value.at)
    };
    let mut living: Vec<_> = states.iter().filter(|state| state.exists).collect();
    living.sort_by_key(|state| {
        let rank = |at: RowStamp| (at.unix_ns, u128::from_le_bytes(*at.replica.as_bytes()));
        (rank(value(state, "name").1).max(rank(value(state, "slot").1)), state.name.key.clone())
    });
    let mut standing: Vec<&RowState> = Vec::new();
    for state in living.into_iter().rev() {
        let name = |state: &RowState| value(state, "name").0.show().to_lowercase();
        let slot = |state: &RowState| value(state, "slot").0;
        let conflicts = |other: &&RowState| {
            name(other) == name(state) || (slot(other) == slot(state) && slot(state) != Value::Integer(0))
        };
        if slot(state) != Value::Integer(99) && !standing.iter().any(conflicts) {
            standing.push(state);
        }
    }
    let mut rows: Vec<_> = standing
        .iter()
        .map(|state| {
            format!("{}|{}|{}", show_key(&state.name.key), value(state, "name").0.show(), value(state, "slot").0.show())
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn every_order_of_arrival_ends_with_the_same_rows() {
    let mut random = fastrand::Rng::with_seed(7);
    let bench = tags();
    // Nothing crashes here, and there are many transactions.
    bench.database.connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    bench.run("PRAGMA synchronous = OFF");
    for round in 0..150 {
        // Each row has a history of states, whose stamps grow.
        let mut histories: Vec<Vec<RowState>> = Vec::new();
        let mut clock = 0;
        for key in 0..random.usize(2..7) {
            let mut history = Vec::new();
            for _ in 0..random.usize(1..4) {
                clock += random.u64(0..3);
                let name = ["rock", "Rock", "pop", "jazz"][random.usize(..4)];
                let slot = [0, 0, 1, 2, 99][random.usize(..5)];
                let mut state = tag(&format!("k{key}"), clock, name, slot);
                state
                    .values
                    .iter_mut()
                    .for_each(|value| value.at = stamp(clock - random.u64(0..=clock.min(1)), random.u8(1..4)));
                state.exists = random.u8(..5) > 0;
                history.push(state);
            }
            histories.push(history);
        }
        let last: Vec<_> = histories.iter().map(|history| history.last().unwrap().clone()).collect();
        for device in 0..3 {
            bench.run("DELETE FROM tags; DELETE FROM syncline_aside");
            bench.settle();
            let mut next = vec![0; histories.len()];
            while next.iter().zip(&histories).any(|(next, history)| *next < history.len()) {
                let mut batch = Vec::new();
                for (next, history) in next.iter_mut().zip(&histories) {
                    if *next < history.len() && random.bool() {
                        // A device may miss what lies between.
                        *next = random.usize(*next..history.len());
                        batch.push(history[*next].clone());
                        *next += 1;
                    }
                }
                random.shuffle(&mut batch);
                // The engine may know more than was applied.
                let ahead = random.u8(..4) == 0;
                let known: Vec<_> = next
                    .iter()
                    .zip(&histories)
                    .filter_map(|(next, history)| history.get(next.checked_sub(1)?).cloned())
                    .collect();
                if !batch.is_empty() {
                    bench.apply_knowing(&batch, if ahead { &last } else { &known });
                }
            }
            assert_eq!(bench.rows(ALL), expected(&last), "round {round}, device {device}");
            assert_eq!(bench.database.noted().unwrap(), 0);
            let living = last.iter().filter(|state| state.exists).count();
            let aside = bench.database.set_aside("tags", 99).unwrap().len();
            assert_eq!(bench.rows(ALL).len() + aside, living, "no row is lost");
        }
    }
}
