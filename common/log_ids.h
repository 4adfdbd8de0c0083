/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * Which message is which, for programs: MESSAGE_ID of the journal
 * (systemd.journal-fields(7)). 128 random bits each, made by systemd-id128(1);
 * never changed and never used for another meaning. conf/spguard.catalog has for
 * each what it means and what to do, which `journalctl -x` shows.
 */
#define SPG_LOG_ID_STARTED        "747fb5b140bb4f42b83a703ded805ad2"
#define SPG_LOG_ID_READY          "2ab3c8c5b8b24c58addb92f2cb23dc1b"
#define SPG_LOG_ID_STOPPED        "7305846966344710b008f01402424b6c"
#define SPG_LOG_ID_RELOADED       "1b57593160c1451f96623322be51132a"
#define SPG_LOG_ID_RELOAD_REFUSED "fdee85cdbf7b46b88adb790ceff886f5"
#define SPG_LOG_ID_VERDICT        "13beafa66b044ef0a64c0aefd6077171"
#define SPG_LOG_ID_GAP            "2fcc8997f75a41b3a976fe165932255c"
#define SPG_LOG_ID_INSTALL_ENDED  "b5aa259b69c040d79df7aa6349fbd752"
#define SPG_LOG_ID_INSTALL_MIXED  "575963cf7f7b42818e6069931e06f60d"
#define SPG_LOG_ID_HOLD_BEGUN     "5ee99584a5404a7cb8f48abc94662e1b"
#define SPG_LOG_ID_HOLD_ENDED     "b7e1e26435724f03ad04269a4dbecd76"
#define SPG_LOG_ID_STORE_ASIDE    "8ab9f8ae2b214e6f80f78e08180d8bce"
#define SPG_LOG_ID_STORE_STOPPED  "1c2ffcbfe2064ef8a053e5bf580949e5"
#define SPG_LOG_ID_STORE_RESUMED  "85f71f7a837a4320b76cf446afd65d41"
#define SPG_LOG_ID_WATCH_LOST     "bda295926b92474ca61106c2fc83a4b2"
#define SPG_LOG_ID_SURVEY_HANGS   "6dcf15273d2e456fbf27855402e4ce4c"
