-- Counters of failed logins, for [throttle]: the time at which each has forgotten all failures. The
-- ids are keyed hashes of accounts and addresses.
--
-- Times are microseconds since 1970 in UTC. Texts are compared by their bytes.
--
-- Locks: none that lasts; makes an empty table.
CREATE TABLE IF NOT EXISTS `simplejwt_throttle` (`id` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY, `arrival` bigint NOT NULL, KEY `simplejwt_throttle_arrival` (`arrival`)) ENGINE=InnoDB;
