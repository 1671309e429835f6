//! A chat through a shared folder. In two terminals, with two states:
//!
//! ```sh
//! mkdir shared
//! cargo run --example chat -- shared state-of-anna Anna
//! cargo run --example chat -- shared state-of-ben Ben
//! ```

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use futures::executor::block_on_stream;
use syncline::messages::{MessageFolder, Options, Order};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shared, state, name] = arguments.as_slice() else {
        return Err("expected three arguments: the shared folder, a directory for this member's state, a name".into());
    };
    let options = Options {
        state: Some(state.into()),
        name: Some(name.clone()),
        order: Some(Order::Arrival),
        create: true,
        ..Options::default()
    };
    let mut folder = MessageFolder::open(shared.as_ref(), options)?;
    let messages = folder.messages().ok_or("the messages are asked for once")?;
    let folder = Arc::new(folder);

    let listening = Arc::clone(&folder);
    std::thread::spawn(move || {
        for message in block_on_stream(messages) {
            let members = listening.status().map(|status| status.members).unwrap_or_default();
            let names: BTreeMap<_, _> = members.into_iter().map(|member| (member.replica, member.name)).collect();
            let name = names.get(&message.author).map_or("somebody", String::as_str);
            println!("{name}: {}", String::from_utf8_lossy(&message.payload));
        }
    });
    for line in std::io::stdin().lock().lines() {
        folder.post(line?.into_bytes())?;
    }
    Ok(())
}
