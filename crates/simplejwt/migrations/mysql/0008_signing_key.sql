-- The keys that sign tokens, for [keys] store = "database", each encrypted with a key that isn't
-- here: who made the row that succeeds another is decided by the primary key.
--
-- Times are microseconds since 1970 in UTC. Texts are compared by their bytes.
--
-- Locks: none that lasts; makes an empty table.
CREATE TABLE IF NOT EXISTS `simplejwt_signing_key` (`number` bigint NOT NULL PRIMARY KEY, `kid` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL UNIQUE, `algorithm` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, `material` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, `created_at` bigint NOT NULL, `activates_at` bigint NOT NULL, `verifies_until` bigint NULL) ENGINE=InnoDB;
