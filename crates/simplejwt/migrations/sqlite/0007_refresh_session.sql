-- Sessions as one row each, for rows = "sessions": the current refresh token, and how often the row
-- was changed. No index has a column that a rotation changes, but for kept_until, once a day.
--
-- Times are microseconds since 1970 in UTC.
--
-- Locks: the file's write lock for the time of the statements; makes an empty table.
CREATE TABLE "simplejwt_refresh_session" ("id" varchar(255) NOT NULL PRIMARY KEY, "user_id" varchar(255) NOT NULL, "created_at" bigint NOT NULL, "generation" bigint NOT NULL, "jti" varchar(255) NOT NULL, "issued_at" bigint NOT NULL, "used_at" bigint NOT NULL, "expires_at" bigint NOT NULL, "access_jti" varchar(255) NULL, "spent" text NOT NULL, "password" varchar(32) NULL, "address" varchar(45) NULL, "user_agent" varchar(255) NULL, "ended_at" bigint NULL, "end_reason" varchar(16) NULL, "blacklisted_at" bigint NULL, "kept_until" bigint NOT NULL);
CREATE INDEX "simplejwt_refresh_session_user_id" ON "simplejwt_refresh_session" ("user_id");
CREATE INDEX "simplejwt_refresh_session_kept_until" ON "simplejwt_refresh_session" ("kept_until");
