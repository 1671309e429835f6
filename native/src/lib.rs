//! The Syncline host for desktops and servers.
