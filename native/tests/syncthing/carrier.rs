//! Syncthing instances: on this machine's loopback, with homes of their own, without discovery, relays or reports.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use minreq::Method;
use rand::RngExt;
use serde_json::{Value, json};

/// The shared folder's name among the instances.
const FOLDER: &str = "messages";
/// Where an instance's home keeps what it says.
const LOG: &str = "said.log";
/// How long an instance may take to answer.
const ANSWERS: Duration = Duration::from_secs(60);
const ADVICE: &str = "this test needs Syncthing: install Debian's package `syncthing`, or run `cargo xtask syncthing`";

/// One instance.
pub struct Syncthing {
    home: PathBuf,
    shared: PathBuf,
    id: String,
    gui: String,
    listens: String,
    key: String,
    child: Option<Child>,
}

/// Three instances that share one folder; each has its own copy of it.
pub struct Carrier {
    instances: Vec<Syncthing>,
}

impl Carrier {
    /// Starts as many instances as there are copies.
    pub fn start(base: &Path, copies: &[PathBuf]) -> Carrier {
        let instances = copies.iter().enumerate();
        let instances = instances.map(|(number, shared)| Syncthing::new(&base.join(format!("home {number}")), shared));
        let mut carrier = Carrier { instances: instances.collect() };
        carrier.configure();
        carrier.instances.iter_mut().for_each(Syncthing::run);
        carrier
    }

    /// The instances, in the order of their copies.
    pub fn instances(&mut self) -> &mut [Syncthing] {
        &mut self.instances
    }

    /// Stops or begins to carry between one instance and the next.
    pub fn pause_link(&self, number: usize, is_paused: bool) {
        let other = &self.instances[(number + 1) % self.instances.len()];
        let path = format!("config/devices/{}", other.id);
        self.instances[number].patch(&path, &json!({ "paused": is_paused }));
    }

    fn configure(&self) {
        let devices: Vec<Value> = self.instances.iter().map(Syncthing::device).collect();
        for instance in &self.instances {
            instance.configure(&devices);
        }
    }
}

impl Syncthing {
    fn new(home: &Path, shared: &Path) -> Syncthing {
        fs::create_dir_all(home).unwrap();
        let made = Command::new("syncthing")
            .arg("generate")
            .arg(format!("--home={}", home.display()))
            .env("HOME", home)
            .output()
            .unwrap_or_else(|e| panic!("{e}: {ADVICE}"));
        assert!(made.status.success(), "{ADVICE}; `syncthing generate` says {made:?}");
        // What an instance shares must have its marker: without it a folder counts as unmounted.
        fs::create_dir_all(shared.join(".stfolder")).unwrap();
        let config = fs::read_to_string(home.join("config.xml")).unwrap();
        let between = |start: &str, end: &str| {
            let (_, rest) = config.split_once(start).unwrap_or_else(|| panic!("no {start} in {config}"));
            rest.split_once(end).unwrap().0.to_string()
        };
        Syncthing {
            home: home.to_path_buf(),
            shared: shared.to_path_buf(),
            id: between("<device id=\"", "\""),
            gui: free_address(),
            listens: free_address(),
            key: between("<apikey>", "</apikey>"),
            child: None,
        }
    }

    /// Starts it and waits until it answers.
    pub fn run(&mut self) {
        let log = OpenOptions::new().append(true).create(true).open(self.home.join(LOG)).unwrap();
        let mut command = Command::new("syncthing");
        command.args(["serve", "--no-browser", "--no-restart", "--no-upgrade"]);
        command.arg(format!("--home={}", self.home.display())).arg(format!("--gui-address={}", self.gui));
        // Without this it starts a second process that does the work, and a kill would hit the first one alone.
        command.env("STMONITORED", "yes").env("HOME", &self.home);
        // Without this it measures for a second at each start which one is faster.
        command.env("STHASHING", "standard");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let began = Instant::now();
        while self.ask(Method::Get, "system/ping", None).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < ANSWERS,
                "syncthing does not answer: {ended:?}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it, at whatever it is.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends it in order.
    pub fn shut_down(&mut self) {
        let answer = self.ask(Method::Post, "system/shutdown", None);
        answer.unwrap_or_else(|e| panic!("{e}: {}", self.log()));
        self.child.take().unwrap().wait().unwrap();
    }

    /// Stops or begins to carry the folder at all.
    pub fn pause(&self, is_paused: bool) {
        self.patch(&format!("config/folders/{FOLDER}"), &json!({ "paused": is_paused }));
    }

    /// What it has complained of, for a test that failed.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.home.join(LOG)).unwrap_or_default();
        log.lines().rev().take(40).collect::<Vec<_>>().join("\n")
    }

    fn device(&self) -> Value {
        json!({ "deviceID": self.id, "addresses": [format!("tcp://{}", self.listens)], "compression": "never" })
    }

    /// Writes the configuration as the instance itself would have it, but for what concerns others than these instances,
    /// and for what costs it most of the time here: looking through a directory for names that differ by case at each new
    /// file, putting each on disk (processes are killed, the machine is not), telling how far each download is. What it
    /// could not get it tries again after seconds, not minutes.
    fn configure(&self, devices: &[Value]) {
        let members: String =
            devices.iter().map(|device| format!("<device id={}></device>", device["deviceID"])).collect();
        let peers: String = devices
            .iter()
            .map(|device| {
                let address = device["addresses"][0].as_str().unwrap();
                format!("<device id={}><address>{address}</address></device>", device["deviceID"])
            })
            .collect();
        let config = format!(
            r#"<configuration version="36">
    <folder id="{FOLDER}" path="{}" type="sendreceive" rescanIntervalS="10" fsWatcherEnabled="true" fsWatcherDelayS="1">
        {members}
        <pullerPauseS>1</pullerPauseS>
        <disableFsync>true</disableFsync>
        <caseSensitiveFS>true</caseSensitiveFS>
        <disableTempIndexes>true</disableTempIndexes>
        <weakHashThresholdPct>101</weakHashThresholdPct>
        <scanProgressIntervalS>-1</scanProgressIntervalS>
    </folder>
    {peers}
    <gui enabled="true" tls="false"><address>{}</address><apikey>{}</apikey></gui>
    <options>
        <listenAddress>tcp://{}</listenAddress>
        <globalAnnounceEnabled>false</globalAnnounceEnabled>
        <localAnnounceEnabled>false</localAnnounceEnabled>
        <relaysEnabled>false</relaysEnabled>
        <natEnabled>false</natEnabled>
        <startBrowser>false</startBrowser>
        <urAccepted>-1</urAccepted>
        <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
        <crashReportingEnabled>false</crashReportingEnabled>
        <reconnectionIntervalS>1</reconnectionIntervalS>
        <progressUpdateIntervalS>-1</progressUpdateIntervalS>
        <setLowPriority>false</setLowPriority>
        <stunKeepaliveStartS>0</stunKeepaliveStartS>
    </options>
</configuration>
"#,
            self.shared.display(),
            self.gui,
            self.key,
            self.listens,
        );
        fs::write(self.home.join("config.xml"), config).unwrap();
    }

    fn patch(&self, path: &str, change: &Value) {
        let answer = self.ask(Method::Patch, path, Some(change));
        answer.unwrap_or_else(|e| panic!("{path}: {e}: {}", self.log()));
    }

    /// Asks for something, and waits until it is done.
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(), String> {
        let request = minreq::Request::new(method, format!("http://{}/rest/{path}", self.gui));
        let request = request.with_header("X-API-Key", &self.key).with_timeout(ANSWERS.as_secs());
        let request = match body {
            Some(body) => request.with_body(body.to_string()),
            None => request,
        };
        match request.send() {
            Ok(response) if response.status_code == 200 => Ok(()),
            Ok(response) => Err(format!("{}: {}", response.status_code, response.as_str().unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Syncthing {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It has ended already where a test went well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address that nobody listens on now, and that the system gives nobody who does not ask for it: an instance that is
/// started again must find it free.
fn free_address() -> String {
    let mut random = rand::rng();
    loop {
        let address = format!("127.0.0.1:{}", random.random_range(20_000..32_000));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
