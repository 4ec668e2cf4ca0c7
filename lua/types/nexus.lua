---@meta nexus
-- The module nexus, for editors. Written by `nexusd types`; changes are lost.
-- SPDX-License-Identifier: MIT

---@class nexus.Policy
---@field api 1 # The version of all this; needed.
---@field attributes? table<string, "string"|"integer"|"boolean"|"list"> # Attributes of sessions that the policy gives out, and their types.
---@field authenticate? table<string, boolean|nexus.Method|fun(hello: nexus.Hello): nexus.Principal|nexus.Decision|nil> # For each method what is known of a principal: nil, there is none. The router does the challenge and the comparison.
---@field authmethods? string[] # Methods, the preferred one first; without it the client prefers.
---@field admit? fun(session: nexus.Session): boolean|nexus.Decision|nil, string? # The last word before WELCOME, for every method: only true admits.
---@field authorize? fun(request: nexus.Request): boolean|nexus.Decision|nil, string? # What the rules marked ask, and everything if there are no rules. Nothing is no.
---@field roles? table<string, nexus.Rule[]|{ inherit?: string }> # For each role its rules. The most specific pattern wins; what no rule matches is denied. inherit = role takes the rules of another one.
---@field filter? fun(event: nexus.Publication): boolean|nexus.Filter|(fun(session: nexus.Session): boolean?)|nil # Who gets an event: nil or true, no further restriction; false, nobody.
---@field cache_decisions? number # Seconds for which answers of authorize are kept that do not say so themselves.
---@field budgets? table<string, nexus.Budget> # For hooks by name, less than the router gives: authenticate, admit, authorize, intercept, filter, predicate, procedure, subscription, lifecycle, task.
---@field intercept? table<"publish"|"call"|"result"|"error", fun(message: nexus.Message): table|nexus.Decision|nil> # Sees a message once, after it was allowed: nil leaves it, a table of changed fields rewrites it, nexus.deny{} stops it.
---@field on_join? fun(session: nexus.Session) # A session of a client has begun.
---@field on_leave? fun(session: nexus.Session, reason: string) # A session of a client has ended.
---@field check? fun(t: table): boolean? # Tests that run before the policy goes live; t is a router with it, as in nexus.testing.
---@field on_load? fun(info: nexus.Version) # This version runs from now on.
---@field on_unload? fun(info: nexus.Version) # It does not any more.
---@field procedures? table<string, nexus.Procedure|fun(call: nexus.Call): ...> # By URI or pattern, what is called in the router.
---@field subscriptions? table<string, nexus.Subscription|fun(event: nexus.Event)> # By URI or pattern, what hears events.
---@field tasks? table<string, nexus.Task> # By name, what is done at times.
---@field limits? nexus.Limit[] # Rates and counts of requests and sessions.
---@field expose? "*"|string[] # Attributes that the meta API shows.
---@field filterable? "*"|string[] # Attributes that clients may name in eligible_x and exclude_x.

---@class nexus.RouterPolicy
---@field api 1 # The version of all this; needed.
---@field realm_requested? fun(hello: table): { template: string, settings?: table, close_when_idle?: number }? # A realm is asked for that is not there: how to open it; nil, there is no such realm.
---@field realm_opened? fun(realm: { uri: string }) # It was opened.
---@field realm_closed? fun(realm: { uri: string }) # It has closed for being idle.

---@class nexus.Matcher

---@class nexus.Config

---@class nexus.TokenKey

---@class nexus.Store
---@field get fun(self, key: string|integer): any # A copy of the value under the key; nil if there is none.
---@field set fun(self, key: string|integer, value: any, options?: { ttl?: number }) # Puts a value under the key, for ttl seconds or for good.
---@field add fun(self, key: string|integer, value: any, options?: { ttl?: number }): boolean # The same only if there is no value; says whether.
---@field incr fun(self, key: string|integer, n?: integer, options?: { ttl?: number, start?: integer }): integer # Adds n (1) to an integer and gives the sum. Without a value it begins with start (0), and expires ttl seconds after that.
---@field delete fun(self, key: string|integer): boolean # Takes the key out; says whether it was there.
---@field update fun(self, key: string|integer, fn: fun(value: any): any): any # Puts what fn makes of the value in its place, as one step; nil is no value, before and after. fn cannot wait, and is called again when somebody else was faster. The value expires when the one before would have. Gives the new value.
---@field each fun(self, prefix: string, fn: fun(key: string, value: any): boolean?) # Calls fn for each key with that prefix, in order, until it returns false. Stores of the router have no order. fn may wait, and may change the store.
---@field size fun(self): integer # How many entries there are.

---@class nexus.Limiter
---@field take fun(self, key: string|integer, n?: number): boolean, number? # Takes n tokens (1) of the key and says true; or takes nothing, and says false and in how many seconds they will be there.

---@class nexus.Counter
---@field inc fun(self, n?: number) # Adds n (1), which is not negative.

---@class nexus.Gauge
---@field set fun(self, value: number) # Sets it.
---@field inc fun(self, n?: number) # Adds n (1).
---@field dec fun(self, n?: number) # Takes n (1) away.

---@class nexus.Histogram
---@field observe fun(self, value: number) # Counts a value.

---@class nexus.Transaction

---@class nexus.Rows
---@overload fun(self): table?
---@field batches fun(self, count: integer): nexus.Rows # Lists of that many rows each, fewer at the end or when they have more than 4 MiB.
---@field all fun(self): table[] # A list of all rows.

---@class nexus.Database
---@field row fun(self, sql: string, ...: nexus.Null|boolean|number|string|nexus.Bytes): table? # The first row as a dict, or nil. Values are always bound.
---@field rows fun(self, sql: string, ...: nexus.Null|boolean|number|string|nexus.Bytes): nexus.Rows # All rows: for row in db:rows(sql) do.
---@field exec fun(self, sql: string, ...: nexus.Null|boolean|number|string|nexus.Bytes): integer, integer # Runs a statement, or without values several; gives the number of rows that changed and the id of the last that was inserted.
---@field transaction fun(self, fn: fun(db: nexus.Database): ...): ... # Calls the function; what it did counts when it returns, and not at all when it raises or is ended. Others wait meanwhile, for 30 s at most.

---@class nexus.Filter
---@operator band(nexus.Filter): nexus.Filter
---@operator bor(nexus.Filter): nexus.Filter

---@class nexus.Timer
---@field remove fun(self: nexus.Timer): boolean # The function will not be called; false: it was, or was removed before.

---@class nexus.Call
---@field progress fun(self: nexus.Call, ...: any) # Sends a progressive result, and waits while the caller's queue is full. Does nothing when the caller did not ask for progress.
---@field chunks fun(self: nexus.Call): fun(): any[], table # The input of a progressive call, piece by piece, beginning with what the call came with: args and kwargs of each.
---@field on_cancel fun(self: nexus.Call, fn: function) # Calls a function when the call is canceled or its time is over.
---@field args any[] # Positional arguments.
---@field kwargs table # Named arguments.
---@field uri string # The procedure that was called.
---@field caller nexus.Session # Who calls.
---@field details table # INVOCATION.Details.
---@field params table<string, string> # What the pattern of the procedure captured.
---@field deadline number? # When the call must be done, seconds since 1970.
---@field wants_progress boolean # Whether the caller asked for progressive results.
---@field canceled boolean # Whether the call was canceled.

---@class nexus.Event
---@field topic string # What it was published to.
---@field publication integer # The id of the publication.
---@field publisher nexus.Session? # Who published it; nil: the router itself.
---@field args any[] # Positional arguments.
---@field kwargs table # Named arguments.
---@field details table # EVENT.Details.
---@field retained boolean # Whether it was kept from before.
---@field params table<string, string> # What the pattern of the subscription captured.

---@class nexus.Endpoint
---@field remove fun(self: nexus.Endpoint): boolean # Ends the registration or subscription; false: it is over already.

---@class nexus.Session
---@field id integer # Its number.
---@field authid string # Who it is.
---@field authrole string # Its role.
---@field authmethod string # How it came in.
---@field authprovider string # Who said so.
---@field realm string # The realm.
---@field joined number? # When, in seconds since 1970; nil: it is only being admitted.
---@field trustlevel integer? # Its trust level.
---@field roles table<string, table<string, boolean>> # Its roles, and the features that it announced for each.
---@field transport nexus.Transport # How it is connected.
---@field hello table # What the client said of itself: claims that nobody has checked.
---@field open boolean # Whether it is open.
---@field vars table # A small dict of the policy's own: it survives reloads and ends with the session.
---@field has fun(self: nexus.Session, attribute: string, value: any): boolean # Whether a declared attribute is this value, or is a list that has it. nil is never one.
---@field set fun(self: nexus.Session, attributes: table) # Gives the session these attributes; nexus.null takes one away. Filters, rules and the meta API see it at once.
---@field kill fun(self: nexus.Session, reason?: string, message?: string): boolean # Ends the session with GOODBYE; false: it is over already.

---@class nexus.Realm
---@field uri string # The name of the realm.
---@field call fun(self: nexus.Realm, uri: string|{ [1]: string, args?: any[], kwargs?: table, timeout?: number, on_progress?: function }, ...: any): ... # Calls a procedure and waits. In the short form it returns the positional results; with a table a nexus.Result. timeout is in seconds; on_progress is called with each progressive result.
---@field publish fun(self: nexus.Realm, topic: string, args?: any[], kwargs?: table, options?: table): integer? # Publishes an event. With acknowledge = true it waits and returns the id of the publication.
---@field register fun(self: nexus.Realm, uri: string, fn: function, options?: table): nexus.Endpoint # Registers a procedure, with the options of policy.procedures. A reload ends it.
---@field subscribe fun(self: nexus.Realm, topic: string, fn: function, options?: table): nexus.Endpoint # Subscribes to a topic, with the options of policy.subscriptions. A reload ends it.
---@field session fun(self: nexus.Realm, id: integer): nexus.Session? # The session with that id; nil: there is none.
---@field sessions fun(self: nexus.Realm, selector?: table): fun(): nexus.Session? # An iterator over the sessions whose attributes have these values.
---@field count fun(self: nexus.Realm, selector?: table): integer # How many sessions have these values.
---@field kill fun(self: nexus.Realm, selector: table): integer # Ends the sessions whose attributes have these values (or with that id), for a reason (a URI) and with a message; how many.
---@field forget_decisions fun(self: nexus.Realm, selector?: table) # Forgets kept answers of policy.authorize that depend on these values of attributes; without a selector all.
---@field recheck fun(self: nexus.Realm, selector?: table): integer # Judges again what the sessions with these values have subscribed to and registered, and takes away what is not allowed any more; how many sessions there are.
---@field retained fun(self: nexus.Realm, topic: string): { args: any[], kwargs: table, publication: integer, publisher?: integer, at: number, restricted: boolean }[] # The retained events of a topic, the newest first; restricted: not everybody may have it.
---@field subscribers fun(self: nexus.Realm, topic: string): nexus.Session[] # Who would get an event of the topic, filters aside.
---@field callees fun(self: nexus.Realm, uri: string): nexus.Session[] # Who may answer a call of the procedure.

---@class nexus.OtherRealm
---@field uri string # The name of the realm.
---@field call fun(self: nexus.OtherRealm, uri: string|{ [1]: string, args?: any[], kwargs?: table, timeout?: number, on_progress?: function }, ...: any): ... # Calls a procedure there and waits, as nexus.realm:call does here. The rules of that realm are not asked; its sessions see the authid "policy@" and the name of this realm.
---@field publish fun(self: nexus.OtherRealm, topic: string, args?: any[], kwargs?: table, options?: table): integer? # Publishes an event there. With acknowledge = true it waits and returns the id of the publication; without, nobody tells that there is no such realm.

---@class nexus.Request
---@field action "publish"|"subscribe"|"call"|"register" # What is asked for.
---@field uri string # The topic or procedure, or the pattern of one.
---@field match "exact"|"prefix"|"wildcard" # How the URI is meant.
---@field session nexus.Session # Who asks.
---@field options table # Options of the message.
---@field args any[]? # Positional arguments; nil where only the ends can read them.
---@field kwargs table? # Named arguments; nil where only the ends can read them.
---@field params table<string, string> # What the pattern of the rule that asks captured.

---@class nexus.Hello
---@field realm string # The realm to be joined.
---@field authid string? # Who it says it is.
---@field authrole string? # The role that it wishes for.
---@field authmethods string[]? # The methods it can do, the preferred one first.
---@field authextra table? # What it adds for the method.
---@field method string # The method that is being tried.
---@field agent string? # The name of its program.
---@field roles table # Roles and features, as it announced them.
---@field transport nexus.Transport # How it is connected.
---@field cookie table? # What was kept for the cookie of its connection.

---@class nexus.Transport
---@field type "websocket"|"rawsocket"|"local" # The kind of connection.
---@field peer string # Where it comes from: tcp4:192.0.2.1:5678.
---@field ip string? # The address alone.
---@field port integer? # The port alone.
---@field protocol string # The subprotocol: wamp.2.json.
---@field serializer string # json, msgpack or cbor.
---@field secure boolean # Whether it has TLS.
---@field headers table<string, string>? # Of a WebSocket's request, those that are kept.
---@field cookies table<string, string>? # Of a WebSocket's request.
---@field tls nexus.Tls? # What TLS knows; nil without.

---@class nexus.Tls
---@field version string # TLSv1.3.
---@field cipher string # The name of the cipher.
---@field fingerprint string? # SHA-256 of the client's certificate, in hexadecimal digits.
---@field verified boolean? # Whether that certificate is good by the CA of the address.
---@field common_name string? # Of its subject.
---@field subject string? # As in RFC 2253.
---@field issuer string? # As in RFC 2253.
---@field channel_id table<string, string> # Octets that only the two ends have, by binding.

---@class nexus.Message
---@field uri string # The topic, the procedure, or the URI of the error.
---@field session nexus.Session # Who sent it.
---@field options table # Options or Details of the message.
---@field args any[]? # Positional arguments; nil where only the ends can read them.
---@field kwargs table? # Named arguments; nil where only the ends can read them.
---@field procedure string? # Of a result or error: what was called.
---@field caller nexus.Session? # Of a result or error: who called.

---@class nexus.Publication
---@field topic string # What it is published to.
---@field publication integer # Its number, as in EVENT and PUBLISHED.
---@field publisher nexus.Session? # Who publishes it.
---@field options table # Options of the message.
---@field args any[]? # Positional arguments; nil where only the ends can read them.
---@field kwargs table? # Named arguments; nil where only the ends can read them.
---@field retained boolean # Whether it was kept, and is for somebody who came later.
---@field params table<string, string> # What the pattern of the rule captured.

---@class nexus.Version
---@field version string # The hash of the files that run now.
---@field previous string? # For on_load: what ran before.
---@field next string? # For on_unload: what runs from now on.
---@field first boolean? # For on_load: nothing ran before.

---@class nexus.Principal
---@field authrole string # Its role; needed.
---@field authid string? # Who it is; not given: who it asked to be.
---@field authprovider string? # Who says so; "policy".
---@field attributes table<string, any>? # As declared in policy.attributes; nexus.null is as good as none.
---@field extra table? # What WELCOME tells as authextra.
---@field expires number? # When the session is ended, in seconds since 1970.
---@field trustlevel integer? # Its trust level.
---@field ticket string|string[]? # For ticket: one, or several that are good.
---@field ticket_hash string? # In place of ticket: a hash, from nexus.crypto.password_hash or nexusd passwd.
---@field secret string? # For wampcra.
---@field salt string? # For wampcra with a derived secret, and scram.
---@field iterations integer? # For wampcra with a derived secret, and scram.
---@field keylen integer? # For wampcra with a derived secret.
---@field kdf string? # For scram: pbkdf2, argon2id13, or argon2id-13 for "scram" alone.
---@field memory integer? # For scram with argon2id13, KiB.
---@field stored_key string? # For scram.
---@field server_key string? # For scram.
---@field compat_stored_key string? # For scram with argon2id13: the same for clients that call the method "scram".
---@field compat_server_key string? # For scram with argon2id13.
---@field pubkeys string|string[]? # For cryptosign: hexadecimal digits or octets.
---@field fingerprints string|string[]? # For tls: SHA-256 or SHA-1 of certificates, in hexadecimal digits; not given: any that verified.

---@class nexus.Method
---@field verify fun(hello: nexus.Hello, signature: string, extra: table): nexus.Principal|nexus.Decision? # Judges the answer, and says who it is.
---@field challenge (fun(hello: nexus.Hello): table?)? # Makes Extra of CHALLENGE; for methods of the policy's own.

---@class nexus.Rule
---@field allow string? # Actions: call register publish subscribe, or *.
---@field deny string? # The same, refused.
---@field ask string? # The same, and policy.authorize decides.
---@field uri string # A pattern: com.acme.*.{name}.{session.org}.**
---@field disclose boolean? # With allow: whether the session is named to who receives.
---@field trustlevel integer? # With allow: the trust level that is told.
---@field timeout number? # With allow: upper bound for calls, seconds.
---@field options table? # With allow: they stand before those of the message.
---@field filter nexus.Filter? # With allow: who gets what is published.

---@class nexus.Procedure
---@field handler fun(call: nexus.Call): ... # What is called.
---@field concurrency integer? # Calls at one time, 64; more wait in order.
---@field ordered boolean? # One at a time for each caller.
---@field timeout number? # Seconds that a call may take.
---@field invoke "single"|"roundrobin"|"random"|"first"|"last"|nil # As in REGISTER.
---@field disclose_caller boolean? # As in REGISTER.
---@field force_reregister boolean? # As in REGISTER: takes the place of what a client has registered.
---@field nkey string? # As in REGISTER.
---@field describe string? # What reflection tells of it.

---@class nexus.Subscription
---@field handler fun(event: nexus.Event) # What is called.
---@field concurrency integer? # Events at one time, 1.
---@field queue integer? # Events that may wait, 1000.
---@field overflow "drop_oldest"|"drop_newest"|nil # What goes when the queue is full.
---@field timeout number? # Seconds that an event may take.
---@field get_retained boolean? # As in SUBSCRIBE.
---@field describe string? # What reflection tells of it.

---@class nexus.Task
---@field run fun() # What is called; never twice at one time.
---@field every number? # Seconds from one time to the next.
---@field jitter number? # Seconds that this may vary by.
---@field cron string? # Instead: minute hour day month weekday, by the local time of the machine.

---@class nexus.Limit
---@field action "join"|"publish"|"subscribe"|"call"|"register"|"session" # What is counted.
---@field per string? # Who is counted alone: session, authid, authrole, ip, realm, or any attribute.
---@field role string? # Only sessions of that role.
---@field uri string? # Only URIs of that pattern.
---@field rate number? # So many a second.
---@field burst number? # So many at once.
---@field max integer? # For sessions: so many in all.
---@field over "deny"|"wait"|"close"|"replace_oldest"|nil # What happens to more.

---@class nexus.Budget
---@field stretch number? # Seconds of CPU between two waits.
---@field cpu number? # Seconds of CPU in all.
---@field wall number? # Seconds from the beginning on.

---@class nexus.Result
---@field args any[] # Positional results.
---@field kwargs table # Named results.

---@class nexus.Error
---@field uri string # The URI of the error.
---@field args any[] # Positional arguments.
---@field kwargs table # Named arguments.
---@field message string? # What it says to people.

---@class nexus.Decision

---@class nexus.Null

---@class nexus.Bytes

---@class nexus
---@field null nexus.Null # The value null of messages; nil is what is not there.
---@field list fun(items?: table): table # Marks a table as list, also when it is empty.
---@field dict fun(items?: table): table # Marks a table as dict.
---@field bytes fun(octets: string): nexus.Bytes # Binary, as opposed to text.
---@field type fun(value: any): string # As the function type, but tells null, list, dict, bytes, integer and float apart.
---@field now fun(): number # Seconds since 1970, UTC.
---@field monotonic fun(): number # Seconds of a clock that never jumps.
---@field date fun(format?: string, time?: number): string|table # As os.date, but always in UTC; without a format as in 2026-01-31T12:00:00Z.
---@field version string # Of the router.
---@field realm_version string # Of the running policy: a hash of its files.
---@field config table<string, any> # The settings of the realm, read-only. What is not set is nil.
---@field secret fun(name: string): string # A secret of the configuration. It is never printed: log lines and tracebacks show ***.
---@field kv fun(name: string, options?: { persist?: boolean, scope?: "realm"|"router", evict?: "refuse"|"lru", max_entries?: integer, max_bytes?: integer }): nexus.Store # The store with that name: of the realm, or of the router, which all realms share. It outlives reloads, and with persist the router too. When it is full it refuses, or forgets what was used least recently ("lru"). What the options do not say stays as the store has it.
---@field limiter fun(options: { rate: number, burst?: number, name?: string }): nexus.Limiter # Token buckets, one for each key: rate tokens a second come in, up to burst. Levels belong to the name and outlive reloads; without a name, to the place in the file.
---@field sqlite fun(file: string): nexus.Database # A database of SQLite in the data folder. The file is opened when it is first used.
---@field policy fun(policy: nexus.Policy): nexus.Policy # Makes a policy of a table: roles, authenticate, intercept, procedures, subscriptions and tasks are there afterwards, as empty tables. It has no other effect.
---@field allow fun(options?: { disclose?: boolean, trustlevel?: integer, timeout?: number, filter?: nexus.Filter, cache?: number, uri?: string, args?: any[], kwargs?: table, options?: table }): nexus.Decision # An answer of policy.authorize: allowed, with changes. timeout is in seconds, an upper bound for calls; cache is for how many seconds the answer is kept; options stand before the client's; uri, args and kwargs are in the place of the client's.
---@field deny fun(options?: { error?: string, message?: string, kwargs?: table, close?: boolean, cache?: number }): nexus.Decision # An answer: refused, with the URI, the text and the details that the client is told. close ends the session as well; cache is for how many seconds the answer is kept.
---@field only fun(attribute: string, ...: any): nexus.Filter # Those whose attribute is one of these values, or a list that has one of them. "{session.x}" is the publisher's attribute x.
---@field except fun(attribute: string, ...: any): nexus.Filter # All but those whose attribute is one of these values, or a list that has one of them.
---@field sleep fun(seconds: number) # Waits. Other messages of the session wait behind it; other sessions do not.
---@field breathe fun() # Lets everything else run for a moment; for long loops.
---@field spawn fun(fn: function, ...: any) # Calls a function with these arguments beside the caller, which does not wait for it. It goes on when the caller is over; what it raises is logged.
---@field parallel fun(functions: function[]): ... # Calls several functions at once and waits for all: the first result of each, in their order. When one raises, the others are ended and its error is raised.
---@field timeout fun(seconds: number, fn: function, ...: any): ... # Calls a function with these arguments and waits for its results. When they are not there in time it is ended, and wamp.error.timeout is raised.
---@field after fun(seconds: number, fn: function, ...: any): nexus.Timer # Calls a function with these arguments, once, when so much time has passed. A reload ends it.
---@field error fun(uri: string, args?: any[], kwargs?: table): nexus.Error # A WAMP error as a value, with the fields uri, args, kwargs and message.
---@field raise fun(uri: string, args?: any[], kwargs?: table) # Ends what is under way with that WAMP error: a caller gets it as it is.
---@field result fun(args?: any[], kwargs?: table): nexus.Result # What a procedure returns when it has named results too.
---@field realm nexus.Realm # The realm that the policy is for.
---@field realm_named fun(uri: string): nexus.OtherRealm # Another realm, where the configuration permits it (other_realms). The session there is opened by the first call or event.
---@field merge fun(base: nexus.Policy, extra: nexus.Policy): nexus.Policy # Two policies as one. Tables are put together by their keys, the rules of a role one behind the other; both of on_join, on_leave, on_load, on_unload and check run; both of admit must say true.
---@field json nexus.json
---@field msgpack nexus.msgpack
---@field cbor nexus.cbor
---@field log nexus.log
---@field uri nexus.uri
---@field crypto nexus.crypto
---@field metrics nexus.metrics
---@field http nexus.http

---@class nexus.json
---@field encode fun(value: any): string # Writes a value.
---@field decode fun(text: string|nexus.Bytes): any # Reads one value, and nothing else.

---@class nexus.msgpack
---@field encode fun(value: any): string # Writes a value.
---@field decode fun(text: string|nexus.Bytes): any # Reads one value, and nothing else.

---@class nexus.cbor
---@field encode fun(value: any): string # Writes a value.
---@field decode fun(text: string|nexus.Bytes): any # Reads one value, and nothing else.

---@class nexus.log
---@field debug fun(text: string, fields?: table<string, any>) # Writes a line of the router's log, at level debug.
---@field info fun(text: string, fields?: table<string, any>) # The same at level info; so does print.
---@field warn fun(text: string, fields?: table<string, any>) # The same at level warn.
---@field error fun(text: string, fields?: table<string, any>) # The same at level error. It raises nothing.

---@class nexus.uri
---@field valid fun(uri: string, grammar?: "loose"|"strict"): boolean # Whether a text is a URI, by the loose grammar unless said otherwise.
---@field matches fun(pattern: string, uri: string): boolean # Whether a pattern as in rules matches a URI. {session.x} matches nothing here.
---@field split fun(uri: string): string[] # The components. Those that are empty, as in patterns of the protocol, stay.
---@field join fun(components: string[]|string, ...: string): string # A URI of components, a list or one by one.
---@field matcher fun(pattern: string): fun(uri: string): table<string, string>? # A function that gives the captures of a URI by their names, or nil when it does not match. Faster than matches, as the pattern is read once.

---@class nexus.crypto
---@field sha256 fun(octets: string|nexus.Bytes): string # 32 octets.
---@field sha512 fun(octets: string|nexus.Bytes): string # 64 octets.
---@field hmac fun(key: string|nexus.Bytes, octets: string|nexus.Bytes, hash?: "sha256"|"sha384"|"sha512"): string # The octets of the HMAC, over SHA-256 unless said otherwise.
---@field equals fun(a: string|nexus.Bytes, b: string|nexus.Bytes): boolean # Compares in a time that says nothing about where they differ.
---@field ed25519_verify fun(key: string|nexus.Bytes, octets: string|nexus.Bytes, signature: string|nexus.Bytes): boolean # Whether a signature is right. Key and signature are octets or hexadecimal digits.
---@field random fun(count: integer): string # Random octets, good for keys.
---@field token fun(count?: integer): string # Text in letters, digits, - and _ that nobody can guess, of that many random octets (32).
---@field uuid fun(): string # A random UUID, version 4.
---@field hex fun(octets: string|nexus.Bytes): string # Hexadecimal digits, in lower case.
---@field unhex fun(text: string): string # The octets of hexadecimal digits.
---@field base64 fun(octets: string|nexus.Bytes, alphabet?: "standard"|"url"): string # Base64 with padding; with "url", the alphabet for URLs without.
---@field unbase64 fun(text: string, alphabet?: "standard"|"url"): string # The octets of base64; standard padding may be missing.
---@field pbkdf2 fun(password: string, salt: string, options?: { iterations?: integer, memory?: integer, parallelism?: integer, length?: integer }): string # A key by PBKDF2 over HMAC-SHA256; 600,000 iterations and 32 octets unless said otherwise.
---@field argon2id fun(password: string, salt: string, options?: { iterations?: integer, memory?: integer, parallelism?: integer, length?: integer }): string # A key by Argon2id; 2 iterations, 19 MiB and 32 octets unless said otherwise.
---@field password_hash fun(password: string, options?: { kdf?: "argon2id"|"pbkdf2", iterations?: integer, memory?: integer, parallelism?: integer }): string # A line of text with all that checking the password needs, for ticket_hash.
---@field password_verify fun(password: string, hash: string): boolean # Whether a hash is one of this password.
---@field scram_record fun(password: string, options?: { kdf?: "argon2id"|"pbkdf2", iterations?: integer, memory?: integer, parallelism?: integer }): table # What to store of a user of SCRAM: kdf, salt, iterations, memory, stored_key, server_key.
---@field jwt fun(token: string, options: { alg: string|string[], key: string|nexus.Bytes|table, audience?: string|string[], issuer?: string|string[], subject?: string, leeway?: number }): table?, string? # The claims of a token whose signature, times, audience, issuer and subject are right, or nil and why not. The algorithms are yours to name, HS256 to EdDSA.

---@class nexus.metrics
---@field counter fun(name: string, labels?: table<string, string|number|boolean>): nexus.Counter # A number that only goes up. The realm is added to the labels.
---@field gauge fun(name: string, labels?: table<string, string|number|boolean>): nexus.Gauge # A number that goes up and down.
---@field histogram fun(name: string, labels?: table<string, string|number|boolean>, buckets?: number[]): nexus.Histogram # How often values were up to each of the buckets; from 0.001 to 10 unless said otherwise.

---@class nexus.http
---@field get fun(url: string, options?: { headers?: table<string, string>, timeout?: number, connect_timeout?: number, max_size?: integer, redirects?: integer }): { status: integer, headers: table<string, string>, body: string } # Asks for a URL. Any status is an answer; names of headers are in lower case.
---@field post fun(url: string, body: string|nexus.Bytes|table, options?: { headers?: table<string, string>, timeout?: number, connect_timeout?: number, max_size?: integer, redirects?: integer }): { status: integer, headers: table<string, string>, body: string } # Sends a body; a table is sent as JSON.
---@field request fun(options: { url: string, method?: string, body?: string|nexus.Bytes|table, headers?: table<string, string>, timeout?: number, connect_timeout?: number, max_size?: integer, redirects?: integer }): { status: integer, headers: table<string, string>, body: string } # The long form. Methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.

local nexus = {}

return nexus
