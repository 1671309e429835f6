//! The engine for JavaScript: methods only, the types are `syncline-core`'s.
//!
//! Values cross as plain objects whose TypeScript declarations come from the same Rust types: 64-bit integers as
//! `bigint`, bytes as `Uint8Array`, what is absent as `undefined`.

use js_sys::{Error, Object, Reflect, TypeError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use syncline_core::api::{Config, ConfigError, Event, Now, Seed};
use wasm_bindgen::prelude::*;

/// One replica of one group.
#[wasm_bindgen]
pub struct Engine {
    engine: syncline_core::Engine,
}

#[wasm_bindgen]
impl Engine {
    /// Makes an engine; it does nothing before the event `"Start"`.
    ///
    /// # Errors
    /// An `Error` named `ConfigError` for a configuration that no engine can work with: its `code` is stable, its
    /// `cause` is the typed `ConfigError`. A `TypeError` for values of another shape.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Config")] config: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Seed")] seed: JsValue,
    ) -> Result<Engine, JsValue> {
        let config: Config = parse(config, "Config")?;
        let seed: Seed = parse(seed, "Seed")?;
        syncline_core::Engine::new(config, seed).map(|engine| Engine { engine }).map_err(|error| config_error(&error))
    }

    /// Takes one event and returns what is to be done about it, in order.
    ///
    /// # Errors
    /// A `TypeError` for values of another shape; the engine has not seen them.
    #[wasm_bindgen(unchecked_return_type = "Action[]")]
    pub fn handle(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Now")] now: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Event")] event: JsValue,
    ) -> Result<JsValue, JsValue> {
        let now: Now = parse(now, "Now")?;
        let event: Event = parse(event, "Event")?;
        show(&self.engine.handle(now, event))
    }

    /// When the host must send `"Wake"`, on the clock of `Now.monotonic`; `undefined` if only an event from outside
    /// changes anything.
    ///
    /// # Errors
    /// None in practice: only memory that ran out.
    #[wasm_bindgen(unchecked_return_type = "Monotonic | undefined")]
    pub fn deadline(&self) -> Result<JsValue, JsValue> {
        show(&self.engine.deadline())
    }

    /// A snapshot of how the engine stands.
    ///
    /// # Errors
    /// None in practice: only memory that ran out.
    #[wasm_bindgen(unchecked_return_type = "Status")]
    pub fn status(&self) -> Result<JsValue, JsValue> {
        show(&self.engine.status())
    }
}

fn parse<T: DeserializeOwned>(value: JsValue, expected: &str) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| TypeError::new(&format!("expected a value of type {expected}: {error}")).into())
}

fn show<T: Serialize + ?Sized>(value: &T) -> Result<JsValue, JsValue> {
    let serializer = Serializer::new().serialize_large_number_types_as_bigints(true);
    Ok(value.serialize(&serializer)?)
}

fn config_error(error: &ConfigError) -> JsValue {
    let thrown = Error::new(&error.to_string());
    thrown.set_name("ConfigError");
    if let Ok(cause) = show(error) {
        // A variant with fields is an object with the variant's name as its only key, one without is that name.
        let code = if cause.is_string() { cause.clone() } else { Object::keys(cause.unchecked_ref::<Object>()).get(0) };
        thrown.set_cause(&cause);
        // Setting a property of a fresh error cannot fail.
        let _ = Reflect::set(&thrown, &JsValue::from_str("code"), &code);
    }
    thrown.into()
}
