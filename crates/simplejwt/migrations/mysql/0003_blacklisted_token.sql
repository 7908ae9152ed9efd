-- The blacklist, as upstream's token_blacklist 0001 to 0013 make it.
--
-- Locks: the table of registered tokens for the time of the statement; makes an empty table.
CREATE TABLE IF NOT EXISTS `token_blacklist_blacklistedtoken` (`id` bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, `blacklisted_at` datetime(6) NOT NULL, `token_id` bigint NOT NULL, UNIQUE KEY `token_id` (`token_id`), CONSTRAINT `token_blacklist_blacklistedtoken_token_id_3cc7fe56_fk` FOREIGN KEY (`token_id`) REFERENCES `token_blacklist_outstandingtoken` (`id`)) ENGINE=InnoDB;
