-- The registered tokens, as upstream's token_blacklist 0001 to 0013 make them, but for the
-- collation of `jti`: the bytes are compared, so that ids that differ in case are different.
--
-- Locks: the table of users for the time of the statement; makes an empty table.
CREATE TABLE IF NOT EXISTS `token_blacklist_outstandingtoken` (`id` bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, `token` longtext NOT NULL, `created_at` datetime(6) NULL, `expires_at` datetime(6) NOT NULL, `user_id` integer NULL, `jti` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, UNIQUE KEY `token_blacklist_outstandingtoken_jti_hex_d9bdf6f7_uniq` (`jti`), KEY `token_blacklist_outs_user_id_83bc629a_fk_auth_user` (`user_id`), CONSTRAINT `token_blacklist_outs_user_id_83bc629a_fk_auth_user` FOREIGN KEY (`user_id`) REFERENCES `auth_user` (`id`)) ENGINE=InnoDB;
