//! Who decides for the group, and what.

use syncline_core::{
    api::{Command, Config, MemberMode, ReplicaId},
    crypto::Identity,
};

use super::{SiteId, World};

/// The public key of the device with this configuration.
pub(super) fn public_key(config: &Config) -> Vec<u8> {
    let identity = Identity::from_secret(&config.identity).expect("32 bytes");
    identity.public_key().as_bytes().to_vec()
}

impl World {
    /// A device's public key. The first device is the group's founder.
    pub fn public_key(&self, site: SiteId) -> Vec<u8> {
        public_key(self[site].shown_config())
    }

    /// Under which id a device writes.
    pub fn replica(&self, site: SiteId) -> ReplicaId {
        self[site].status().replica.expect("it has begun")
    }

    /// Somebody removes another device from the group.
    pub fn remove_member(&mut self, by: SiteId, member: SiteId) {
        self.judge.removed(member.0);
        let member = self.public_key(member);
        self.command(by, Command::Remove { member });
    }

    /// Somebody lets another device decide, too.
    pub fn appoint(&mut self, by: SiteId, member: SiteId) {
        let member = self.public_key(member);
        self.command(by, Command::Appoint { member });
    }

    /// Somebody sets which way data goes between a device and the others.
    pub fn set_mode(&mut self, by: SiteId, member: SiteId, mode: MemberMode) {
        let member = self.public_key(member);
        self.command(by, Command::SetMode { member, mode });
    }
}
