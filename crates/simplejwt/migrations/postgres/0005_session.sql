-- Sessions, their tokens, and what has been revoked: tables of our own, which Django takes no
-- notice of. No foreign keys into Django's tables, so that a user can always be deleted there.
--
-- Times are microseconds since 1970 in UTC.
--
-- Locks: none that anybody waits for; makes empty tables.
CREATE TABLE "simplejwt_session" ("id" varchar(255) NOT NULL PRIMARY KEY, "user_id" varchar(255) NOT NULL, "created_at" bigint NOT NULL, "expires_at" bigint NOT NULL, "ended_at" bigint NULL, "end_reason" varchar(16) NULL, "password" varchar(32) NULL, "address" varchar(45) NULL, "user_agent" varchar(255) NULL);
CREATE INDEX "simplejwt_session_user_id" ON "simplejwt_session" ("user_id");
CREATE INDEX "simplejwt_session_expires_at" ON "simplejwt_session" ("expires_at");
CREATE TABLE "simplejwt_session_token" ("jti" varchar(255) NOT NULL PRIMARY KEY, "session_id" varchar(255) NOT NULL, "parent_jti" varchar(255) NULL UNIQUE, "access_jti" varchar(255) NULL, "created_at" bigint NOT NULL, "used_at" bigint NOT NULL, "expires_at" bigint NOT NULL, "address" varchar(45) NULL);
CREATE INDEX "simplejwt_session_token_session_id" ON "simplejwt_session_token" ("session_id");
CREATE INDEX "simplejwt_session_token_expires_at" ON "simplejwt_session_token" ("expires_at");
CREATE TABLE "simplejwt_revocation" ("sequence" bigint NOT NULL PRIMARY KEY, "kind" varchar(8) NOT NULL, "subject" varchar(255) NOT NULL, "revoked_at" bigint NOT NULL, "expires_at" bigint NOT NULL);
CREATE INDEX "simplejwt_revocation_expires_at" ON "simplejwt_revocation" ("expires_at");
CREATE INDEX "simplejwt_revocation_subject" ON "simplejwt_revocation" ("subject");
CREATE TABLE "simplejwt_sequence" ("name" varchar(32) NOT NULL PRIMARY KEY, "value" bigint NOT NULL);
INSERT INTO "simplejwt_sequence" ("name", "value") SELECT 'revocation', coalesce(max("sequence"), 0) FROM "simplejwt_revocation";
CREATE TABLE "simplejwt_lease" ("name" varchar(32) NOT NULL PRIMARY KEY, "holder" varchar(64) NOT NULL, "expires_at" bigint NOT NULL);
CREATE TABLE "simplejwt_user" ("user_id" varchar(255) NOT NULL PRIMARY KEY);
