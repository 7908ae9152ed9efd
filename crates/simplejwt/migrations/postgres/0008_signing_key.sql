-- The keys that sign tokens, for [keys] store = "database", each encrypted with a key that isn't
-- here: who made the row that succeeds another is decided by the primary key.
--
-- Times are microseconds since 1970 in UTC.
--
-- Locks: none that anybody waits for; makes an empty table.
CREATE TABLE "simplejwt_signing_key" ("number" bigint NOT NULL PRIMARY KEY, "kid" varchar(255) NOT NULL UNIQUE, "algorithm" varchar(16) NOT NULL, "material" text NOT NULL, "created_at" bigint NOT NULL, "activates_at" bigint NOT NULL, "verifies_until" bigint NULL);
