-- Counters of failed logins, for [throttle]: the time at which each has forgotten all failures. The
-- ids are keyed hashes of accounts and addresses.
--
-- Times are microseconds since 1970 in UTC.
--
-- Locks: the file's write lock for the time of the statements; makes an empty table.
CREATE TABLE "simplejwt_throttle" ("id" varchar(32) NOT NULL PRIMARY KEY, "arrival" bigint NOT NULL);
CREATE INDEX "simplejwt_throttle_arrival" ON "simplejwt_throttle" ("arrival");
