-- Configuration of nexusd: a Lua table. It runs as it stands:
--
--     nexusd --config config/nexusd.lua
--
-- Options in comments show their defaults; nil means: not set. Durations are seconds, or
-- strings such as "500ms", "10s", "2m"; sizes are bytes, or "64KiB", "16MiB". Names of
-- files are relative to the folder in which nexusd is started. The file can compute: it has
-- Lua's string, table, math and utf8, and env "NAME" for an environment variable, but no
-- way to the world outside. `nexusd --check-config` finds mistakes, `--print-config` shows
-- every value in effect.
return {
    -- addresses; each speaks WebSocket, RawSocket and HTTP
    listen = {
        "127.0.0.1:8080",
        -- An address with options is a table:
        -- {
        --     -- "host:port", "[::1]:port", "tls://host:port" or "unix:/path"; port 0: any free one
        --     address = "tls://0.0.0.0:8443",
        --     -- what is spoken there; the first octets tell them apart
        --     protocols = { "websocket", "rawsocket" },
        --     -- serializers that peers may choose
        --     serializers = { "json", "msgpack", "cbor" },
        --     -- paths that are WebSockets
        --     paths = { "/", "/ws" },
        --     -- web origins that may connect, e.g. { "https://app.example.com" }; not set: any
        --     origins = nil,
        --     -- realm of a HELLO that names none; not set: such a HELLO is refused
        --     default_realm = nil,
        --     -- refuse RawSocket peers that accept only shorter messages; 0: none
        --     rawsocket_min_length = 0,
        --     -- permissions of the socket file, e.g. "0660"; not set: as the umask says
        --     unix_mode = nil,
        --     -- tracking cookie; needs origins; not set: none
        --     cookie = {
        --         -- name of the cookie
        --         name = nil,
        --         -- how long browsers keep it
        --         max_age = "7d",
        --     },
        --     -- certificate and key of a tls:// address
        --     tls = {
        --         -- certificate and its chain, PEM
        --         cert = nil,
        --         -- private key of the certificate, PEM
        --         key = nil,
        --         -- serve connections without TLS on the same port as well
        --         optional = false,
        --     },
        -- },
    },

    -- realms by name; peers of different realms never meet
    realms = {
        ["realm1"] = {
            -- who may come in and do what; "open": anybody, everything
            policy = "open",
            -- authrole of sessions that did not authenticate
            -- anonymous_role = "anonymous",
            -- grammar of URIs; strict: a-z, 0-9, _ and dots
            -- uri_check = "loose",
            -- how exactly request ids of peers must count up
            -- request_id_check = "lenient",
            -- accept the older framing of end-to-end encrypted payloads
            -- ppt_compat = true,
            -- an empty list of eligible receivers means everybody, as with some other routers
            -- empty_eligible_is_absent = false,
            -- sessions in the realm; 0: no bound
            -- max_sessions = 0,
            -- subscriptions of one session
            -- max_subscriptions = 100000,
            -- registrations of one session
            -- max_registrations = 100000,
            -- calls of one session that wait for a result
            -- max_pending_calls = 10000,
            -- our GOODBYE to the peer's answer
            -- goodbye_timeout = "5s",
            -- what may wait for a session that reads too slowly
            -- queue = {
            --     -- messages that wait for one session at most
            --     messages = 10000,
            --     -- bytes after which an event or invocation does not fit
            --     bytes = "32MiB",
            --     -- bytes after which even a reply does not fit and the session ends
            --     hard_bytes = "64MiB",
            --     -- what happens to an event that does not fit; conflate: a topic's latest stays
            --     overflow = "drop_newest",
            -- },
        },
    },

    -- for realms that nobody named here, made when the first peer asks for one
    -- realm_template = {
    --     -- who may come in and do what; "open": anybody, everything
    --     policy = "open",
    --     -- authrole of sessions that did not authenticate
    --     anonymous_role = "anonymous",
    --     -- grammar of URIs; strict: a-z, 0-9, _ and dots
    --     uri_check = "loose",
    --     -- how exactly request ids of peers must count up
    --     request_id_check = "lenient",
    --     -- accept the older framing of end-to-end encrypted payloads
    --     ppt_compat = true,
    --     -- an empty list of eligible receivers means everybody, as with some other routers
    --     empty_eligible_is_absent = false,
    --     -- sessions in the realm; 0: no bound
    --     max_sessions = 0,
    --     -- subscriptions of one session
    --     max_subscriptions = 100000,
    --     -- registrations of one session
    --     max_registrations = 100000,
    --     -- calls of one session that wait for a result
    --     max_pending_calls = 10000,
    --     -- our GOODBYE to the peer's answer
    --     goodbye_timeout = "5s",
    --     -- what may wait for a session that reads too slowly
    --     queue = {
    --         -- messages that wait for one session at most
    --         messages = 10000,
    --         -- bytes after which an event or invocation does not fit
    --         bytes = "32MiB",
    --         -- bytes after which even a reply does not fit and the session ends
    --         hard_bytes = "64MiB",
    --         -- what happens to an event that does not fit; conflate: a topic's latest stays
    --         overflow = "drop_newest",
    --     },
    -- },

    -- realms that may be made from the template
    -- max_realms = 1000,

    -- threads that serve connections
    -- workers = 1,

    -- how long sessions may take to say goodbye when nexusd is stopped
    -- shutdown_grace = "4s",

    -- how the router calls itself in WELCOME; "": not at all
    -- agent = "nexus-0.1.0",

    -- bounds and times of all connections
    -- limits = {
    --     -- connections at one time
    --     max_connections = 50000,
    --     -- connections from one IP address; 0: no bound
    --     max_connections_per_address = 0,
    --     -- a peer that sends a longer message is closed
    --     max_message_size = "16MiB",
    --     -- connection to the end of the TLS, WebSocket or RawSocket handshake
    --     handshake_timeout = "10s",
    --     -- handshake to a session
    --     hello_timeout = "5s",
    --     -- end of a session to the next one on the same connection
    --     rejoin_timeout = "5s",
    --     -- a peer that was silent that long is asked whether it lives; 0: never
    --     ping_interval = "20s",
    --     -- how long the answer may take
    --     ping_timeout = "20s",
    --     -- how long writing out the last messages of a connection may take
    --     close_timeout = "5s",
    --     -- RawSocket PINGs of one peer; one that sends more is closed
    --     max_pings_per_second = 100,
    -- },

    -- log lines
    -- log = {
    --     -- the least important lines that are written
    --     level = "info",
    --     -- text for people, json for programs
    --     format = "text",
    --     -- file that lines are added to; not set: standard error
    --     file = nil,
    -- },
}
