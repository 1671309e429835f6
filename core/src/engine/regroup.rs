//! What the founder and those whom it appointed decide (§5.3, §5.10) is said here, and carried out.
//!
//! A decision can make messages void that were taken long ago, or let some count again that were void. Then what rests on
//! messages is made anew: the void ones leave the store in the same save as the decision comes into it, what is under way
//! ends, and the engine begins again from its store, as after a crash.
//!
//! Invariant: whether a removal or what it voids comes first makes no difference
//! (`h14_whatever_of_a_removed_member_came_first_all_end_alike`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::root::Root;
use super::{Engine, Phase, keys};
use crate::api::{Action, Command, LinkId, MemberMode, Notice, NoticeCode, ReplicaId, Seed};
use crate::log::{Act, Entry, MemberKey, Regrouping, message_key};
use crate::planted::{Planted, planted};

/// Why links are closed meanwhile.
const REGROUPS: &str = "who is a member has changed: begins again";
const EXPELLED: &str = "this device is no member of the group any more";

impl Engine {
    /// Decides something for the group, if this device may.
    pub(super) fn decide(&mut self, command: Command) {
        if !self.has_begun {
            return self.postponed.push(command);
        }
        let said = match command {
            Command::Appoint { member } => self.appointment(&member),
            Command::Remove { member } => self.removal(&member),
            Command::SetMode { member, mode } => self.mode(&member, mode),
            Command::DiscardHeld { replica } => self.discard(replica),
            _ => return,
        };
        match said {
            Ok(act) => drop(self.write(Entry::Act(act))),
            Err(why) => self.shared.notify(NoticeCode::NotPermitted, why),
        }
    }

    fn appointment(&self, member: &[u8]) -> Result<Act, String> {
        let member = member_key(member)?;
        let log = &self.shared.log;
        log.decides().then_some(Act::Appoint { member }).ok_or_else(|| "this device appoints nobody".into())
    }

    fn removal(&self, member: &[u8]) -> Result<Act, String> {
        let member = member_key(member)?;
        let log = &self.shared.log;
        let may = log.may_decide(&member);
        may.then(|| Act::Remove { member, last: log.last_of(&member) })
            .ok_or_else(|| "this device may not remove that member".into())
    }

    /// Of this device itself it is what it wishes, and nobody can forbid that.
    fn mode(&mut self, member: &[u8], mode: MemberMode) -> Result<Act, String> {
        let member = member_key(member)?;
        // What is said already was said before.
        self.shared.close_draft();
        let log = &self.shared.log;
        if !log.is_this_device(&member) && !log.may_decide(&member) {
            return Err("this device may not set that member's mode".into());
        }
        let mut last = log.last_of(&member);
        if let (true, Some(own), Some(next)) = (log.is_this_device(&member), log.own(), log.next_counter()) {
            // The message that says so is said before, too.
            last.insert(own, next);
        }
        Ok(Act::Mode { member, mode, last })
    }

    /// What is stamped beyond now does not count, what is held of it as well as what may still come of it.
    fn discard(&self, replica: ReplicaId) -> Result<Act, String> {
        let key = self.shared.log.public_key(replica).map(|key| *key.as_bytes());
        let member = key.filter(|key| self.shared.log.may_decide(key));
        let after_ns = self.records.limit_ns(self.shared.now);
        member
            .map(|member| Act::Discard { member, replica, after_ns })
            .ok_or_else(|| format!("this device may not discard what replica {replica} stamped"))
    }

    /// Carries out what was decided since this was last done.
    pub(super) fn regroup(&mut self) {
        let Some(regrouping) = self.shared.log.take_regrouping() else { return };
        if regrouping.is_expelled {
            return self.leave_group();
        }
        let Regrouping { voided, revived, restamped, silenced, .. } = regrouping;
        self.follow_mode();
        self.compaction.look_again();
        let is_regrouped = !(voided.is_empty() && revived.is_empty() && silenced.is_empty());
        if !restamped.is_empty() || is_regrouped && !planted(Planted::VoidRowsStay) {
            self.records.merge_again(&mut self.shared);
        }
        if self.shared.log.own().is_some_and(|own| restamped.contains(&own)) {
            self.records.set_clock_to_now(&self.shared);
            self.begin_incarnation();
            self.shared.introduce();
        }
        if planted(Planted::VoidKept) || !is_regrouped {
            return;
        }
        self.tell_voided(&voided);
        for (author, counter) in voided {
            self.shared.saver.remove(message_key(author, counter));
            self.shared.saver.remove(keys::acts(author, counter));
            self.shared.saver.remove(keys::unmerged(author, counter));
        }
        for link in self.peers.keys().copied().collect::<Vec<LinkId>>() {
            self.close(link, REGROUPS.into());
        }
        self.phase = Phase::Renewing;
        self.shared.flush();
        self.finish_renewing();
    }

    /// Which way data goes between this device and the others is followed by all its parts.
    pub(super) fn follow_mode(&mut self) {
        let mode = self.shared.log.own_mode();
        self.deliveries.pause(!mode.takes());
        self.records.follow_mode(mode);
        if core::mem::replace(&mut self.shared.mode, mode) != mode {
            for root in &mut self.roots {
                root.mode_changed(&mut self.shared);
            }
        }
    }

    fn tell_voided(&mut self, voided: &[(ReplicaId, u64)]) {
        let mut counts = BTreeMap::<ReplicaId, u64>::new();
        for (author, _) in voided {
            let count = counts.entry(*author).or_default();
            *count = count.saturating_add(1);
        }
        for (replica, count) in counts {
            let name = self.shared.log.members().find(|member| member.replica == replica).map(|member| member.name);
            let message = format!(
                "`{}` is no member any more, and {count} messages of it that had come here do not count: what they said is taken back",
                name.unwrap_or_default()
            );
            let notice =
                Notice { code: NoticeCode::MemberRemoved, message, root: None, path: None, replica: Some(replica) };
            self.shared.actions.push(Action::Notify { notice });
        }
    }

    /// This device is no member any more. What it has stays as it is; nothing is sent or taken any more.
    pub(super) fn leave_group(&mut self) {
        for link in self.peers.keys().copied().collect::<Vec<LinkId>>() {
            self.close(link, EXPELLED.into());
        }
        for link in core::mem::take(&mut self.early_links).into_keys() {
            self.refuse_link(link);
        }
        self.shared.acknowledge = None;
        self.shared.flush();
        self.phase = Phase::Expelled;
        let message =
            "this device was removed from the group: what it has stays as it is, nothing is sent or taken any more";
        self.shared.notify(NoticeCode::Expelled, message);
    }

    pub(super) fn refuse_link(&mut self, link: LinkId) {
        self.shared.actions.push(Action::Close { link, reason: EXPELLED.into() });
    }

    /// Begins again once nothing is under way that rests on what was. A device that was removed saves that, and no more.
    pub(super) fn finish_renewing(&mut self) {
        if !matches!(self.phase, Phase::Renewing | Phase::Expelled) {
            return;
        }
        self.shared.flush();
        if self.phase == Phase::Expelled {
            return;
        }
        // What could not be saved stays as it was on disk: a next start sees to it.
        let is_saved = self.shared.saver.is_idle() && !self.shared.saver.has_failed();
        let is_done = is_saved && self.shared.tasks.is_empty();
        if is_done && !self.roots.iter().any(Root::has_commits) {
            self.renew();
        }
    }

    fn renew(&mut self) {
        let mut config = self.config.clone();
        if let Some(delivery) = &mut config.delivery {
            delivery.delivered = self.deliveries.delivered();
        }
        if let Some(records) = &mut config.records {
            (records.applied, records.is_copy) = (self.records.applied_until(), false);
        }
        let seed = Seed { bytes: self.shared.random.bytes::<32>().to_vec() };
        // It was made of the like before.
        let Ok(next) = Engine::new(config, seed) else { return };
        let mut old = core::mem::replace(self, next);
        self.shared.now = old.shared.now;
        self.shared.actions = old.shared.actions;
        self.early_links = old.early_links;
        self.unpublished = old.unpublished;
        self.settles = old.settles;
        self.records.inherit(&mut old.records);
        self.phase = Phase::Loading;
        self.load(keys::START.to_vec());
        for command in old.postponed {
            self.command(command);
        }
    }
}

fn member_key(bytes: &[u8]) -> Result<MemberKey, String> {
    bytes.try_into().map_err(|_| format!("expected a member's public key of 32 bytes, found {}", bytes.len()))
}
