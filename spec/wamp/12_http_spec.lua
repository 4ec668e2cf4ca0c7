--- Plain HTTP on the same port: a status page, and words for what is not there.
-- SPDX-License-Identifier: MIT
local conformance = require "conformance"
local framing = require "framing"
local json = require "json"
local stream = require "stream"
local wamp = require "wamp"

conformance.with_router("HTTP", { limits = { handshake_timeout = "500ms" } }, function(router)
  for _, transport in ipairs { "ws", "wss", "unix" } do
    describe("over " .. transport .. ":", function()
      local function open()
        local target = conformance.target(router(), transport)
        target.tls = wamp.transports[transport].tls
        return assert(stream.open(target))
      end

      local function ask(text)
        local bytes = open()
        assert(bytes:write(text))
        local status, headers = framing.http_head(bytes)
        local body = headers and bytes:read(tonumber(headers["content-length"] or "0"))
        bytes:close()
        return status, headers, body
      end

      local function get(path)
        return ask(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(path))
      end

      it("GET / shows a page for people", function()
        local status, headers, body = get("/")
        assert.equal(200, status)
        assert.is_truthy(headers["content-type"]:find("^text/html"))
        assert.is_truthy(body:lower():find("^<!doctype html>"))
      end)

      it("GET /status.json shows counters for programs", function()
        local status, headers, body = get("/status.json")
        assert.equal(200, status)
        assert.is_truthy(headers["content-type"]:find("^application/json"))
        assert.equal("nexus", json.decode(body).router)
      end)

      for _, path in ipairs { "/nothing", "/../etc/passwd", "/%2e%2e/x", "/status", "/a/b" } do
        it(("GET %s is not found"):format(path), function()
          local status = get(path)
          assert.is_true(status == 404 or status == 400 or status == 403)
        end)
      end

      it("an upgrade to something else is refused", function()
        local status = ask("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
          .. "Connection: Upgrade\r\n\r\n")
        assert.is_true(status == nil or status >= 400)
      end)

      it("a request with a million octets of headers is refused", function()
        local bytes = open()
        bytes:write("GET / HTTP/1.1\r\nHost: localhost\r\n")
        local header = "X-Filler: " .. ("x"):rep(1000) .. "\r\n"
        for _ = 1, 1000 do
          if not bytes:write(header) then
            break
          end
        end
        bytes:write("\r\n")
        local answer = bytes:read_all()
        assert.is_nil(answer:find("^HTTP/1%.1 200"))
        bytes:close()
        assert.equal(200, (get("/")))
      end)

      it("what is neither HTTP nor RawSocket is closed", function()
        for _, noise in ipairs { "\0\0\0\0\0\0\0\0\r\n\r\n", ("\xff"):rep(64), "\r\n\r\n\r\n" } do
          local bytes = open()
          bytes:write(noise)
          local answer = bytes:read_all()
          assert.is_truthy(answer == "" or answer:find("^HTTP/1%.[01] 4"))
          bytes:close()
        end
      end)

      it("a request line that never ends is refused", function()
        local bytes = open()
        for _ = 1, 100 do
          if not bytes:write(("A"):rep(10000)) then
            break
          end
        end
        local answer = bytes:read_all()
        assert.is_nil(answer:find("^HTTP/1%.1 200"))
        bytes:close()
      end)
    end)
  end

  it("the counters count what happens", function()
    local before = router():status()
    local peer = conformance.peer(router, "ws", "json")
    local alice, bob = peer.join(), peer.join()
    local topic = peer.uri()
    local subscription = alice:subscribe(topic)
    bob:publish_surely(topic)
    alice:expect_event(subscription)
    local after = router():status()
    assert.is_true(after.accepted >= before.accepted + 2)
    assert.is_true(after.messages_in >= before.messages_in + 4)
  end)
end)
