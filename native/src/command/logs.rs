//! Logs, on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging: as `SYNCLINE_LOG` says, else a little, or more if `verbose`.
pub(crate) fn start(verbose: bool) {
    let default = if verbose { "info" } else { "error" };
    let filter = EnvFilter::try_from_env("SYNCLINE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
