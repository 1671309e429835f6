//! Between rows of SQLite and a program's own types, by `serde_json`'s values.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value as Json};

use crate::Error;
use crate::sqlite::{Assignment, Cell, Database, Value};

/// A row; none if it is not there.
pub(super) fn get<T: DeserializeOwned>(database: &Database, table: &str, key: &[Value]) -> Result<Option<T>, Error> {
    database.row(table, key)?.map(|cells| read(database, table, cells)).transpose()
}

/// All rows of a table, in the order of their keys.
pub(super) fn all<T: DeserializeOwned>(database: &Database, table: &str) -> Result<Vec<T>, Error> {
    database.rows(table, |cells| read(database, table, cells))
}

/// The values that a struct or map gives to the columns of a table.
pub(super) fn values(
    database: &Database,
    table: &str,
    row: &(impl Serialize + ?Sized),
) -> Result<Vec<Assignment>, Error> {
    let (path, table) = (database.path().to_path_buf(), table.to_string());
    to_columns(row).map_err(|detail| Error::UnfitValue { path, table, detail })
}

fn read<T: DeserializeOwned>(database: &Database, table: &str, cells: Vec<Cell>) -> Result<T, Error> {
    let columns = &database.tracked(table)?.table.key;
    let value = |column: &String| cells.iter().find(|cell| cell.column == *column).map(|cell| cell.value.show());
    let key = columns.iter().filter_map(value).collect::<Vec<_>>().join(", ");
    let (path, table) = (database.path().to_path_buf(), table.to_string());
    from_cells(cells).map_err(|detail| Error::UnfitRow { path, table, key, detail })
}

/// The values that a struct or map gives to columns, or what it is instead.
fn to_columns(row: &(impl Serialize + ?Sized)) -> Result<Vec<Assignment>, String> {
    let json = serde_json::to_value(row).map_err(|e| e.to_string())?;
    let Json::Object(fields) = json else {
        return Err("found neither a struct nor a map".into());
    };
    let column = |(column, json): (String, Json)| match to_value(json) {
        Ok(value) => Ok((column, value)),
        Err(what) => Err(format!("found {what} for the column `{column}`")),
    };
    fields.into_iter().map(column).collect()
}

/// What a row holds as a program's own type, or why it is not of that type.
fn from_cells<T: DeserializeOwned>(cells: Vec<Cell>) -> Result<T, String> {
    let mut fields = Map::new();
    for Cell { column, value, is_boolean } in cells {
        let json = to_json(value, is_boolean).map_err(|what| format!("found {what} in the column `{column}`"))?;
        fields.insert(column, json);
    }
    serde_json::from_value(Json::Object(fields)).map_err(|e| e.to_string())
}

fn to_value(json: Json) -> Result<Value, &'static str> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Integer(is.into()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(real)) if number.is_f64() => Value::Real(real),
            _ => return Err("a number above the largest of SQLite's"),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => {
            let byte = |item: Json| item.as_u64().and_then(|number| u8::try_from(number).ok());
            let bytes: Option<Vec<u8>> = items.into_iter().map(byte).collect();
            Value::Blob(bytes.ok_or("a list that is none of bytes")?)
        }
        Json::Object(_) => return Err("a struct or map"),
    })
}

fn to_json(value: Value, is_boolean: bool) -> Result<Json, &'static str> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Integer(number @ (0 | 1)) if is_boolean => Json::Bool(number == 1),
        Value::Integer(number) => number.into(),
        Value::Real(number) => Json::Number(Number::from_f64(number).ok_or("an infinite number")?),
        Value::Text(text) => Json::String(text),
        Value::Blob(bytes) => bytes.into(),
        Value::OddText(_) => return Err("a text that is no UTF-8"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Format {
        Flac,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Track {
        title: String,
        number: Option<i64>,
        gain: f64,
        live: bool,
        cover: Vec<u8>,
        format: Format,
    }

    fn there_and_back<T: Serialize + DeserializeOwned>(row: &T, booleans: &[&str]) -> T {
        let cell = |(column, value): Assignment| {
            let is_boolean = booleans.contains(&column.as_str());
            Cell { column, value, is_boolean }
        };
        from_cells(to_columns(row).unwrap().into_iter().map(cell).collect()).unwrap()
    }

    #[test]
    fn structs_come_back_as_they_were() {
        for (number, gain) in [(None, 0.0), (Some(i64::MIN), -1.5), (Some(i64::MAX), 1e300)] {
            let title = "it's\0é".to_string();
            let track = Track { title, number, gain, live: true, cover: vec![0, 255], format: Format::Flac };
            assert_eq!(there_and_back(&track, &["live"]), track);
        }
    }

    #[test]
    fn what_no_column_holds_is_told_with_its_column() {
        let told = |json: Json| to_columns(&json).unwrap_err();
        assert!(told(json!([1])).contains("neither a struct nor a map"));
        assert!(told(json!({ "a": { "b": 1 } })).contains("a struct or map for the column `a`"));
        assert!(told(json!({ "a": ["b"] })).contains("none of bytes for the column `a`"));
        assert!(told(json!({ "a": u64::MAX })).contains("above the largest"));
    }

    #[test]
    fn a_row_of_another_type_is_told() {
        let cell = |value| vec![Cell { column: "a".into(), value, is_boolean: false }];
        #[derive(Debug, Deserialize)]
        struct Row {
            #[allow(dead_code, reason = "it is only read from rows")]
            a: i64,
        }
        let told = |value| from_cells::<Row>(cell(value)).unwrap_err();
        assert!(told(Value::Text("7".into())).contains("expected i64"));
        assert!(told(Value::Real(f64::INFINITY)).contains("infinite"));
        assert!(told(Value::OddText(vec![0xff])).contains("no UTF-8"));
        assert!(from_cells::<Row>(Vec::new()).unwrap_err().contains("missing field `a`"));
    }
}
