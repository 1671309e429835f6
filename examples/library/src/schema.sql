-- Kept in agreement, and written by every device.
CREATE TABLE IF NOT EXISTS albums (id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))), name TEXT NOT NULL, year INTEGER);
CREATE TABLE IF NOT EXISTS tags (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tags_on_files (cas_id TEXT, tag TEXT, PRIMARY KEY (cas_id, tag));

-- Kept in agreement, and each row written by the device that it is of.
CREATE TABLE IF NOT EXISTS file_paths (device TEXT, path TEXT, size INTEGER NOT NULL, cas_id TEXT NOT NULL,
    PRIMARY KEY (device, path));

-- This device's own: contents, however many paths they have, derived from `file_paths`.
CREATE TABLE IF NOT EXISTS files (cas_id TEXT PRIMARY KEY, size INTEGER NOT NULL, copies INTEGER NOT NULL);

-- This device's own: what it is called in `file_paths`.
CREATE TABLE IF NOT EXISTS device (name TEXT PRIMARY KEY);
