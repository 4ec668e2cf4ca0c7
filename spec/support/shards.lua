--- Rendezvous hashing, written a second time: which key a routing key belongs to.
--
--   shards.winner("sn239019", { "101", "102", "103" })  -->  "101"
--
-- SPDX-License-Identifier: MIT
local shards = {}

local function fnv1a64(octets)
  local hash = 0xcbf29ce484222325
  for i = 1, #octets do
    hash = (hash ~ octets:byte(i)) * 0x100000001b3
  end
  return hash
end

local function fmix64(k)
  k = (k ~ (k >> 33)) * 0xff51afd7ed558ccd
  k = (k ~ (k >> 33)) * 0xc4ceb9fe1a85ec53
  return k ~ (k >> 33)
end

function shards.score(rkey, key)
  return fmix64(fnv1a64(rkey .. "\0" .. key))
end

--- The key with the highest score; of equal scores the smaller key.
function shards.winner(rkey, keys)
  local best, best_score
  for _, key in ipairs(keys) do
    local score = shards.score(rkey, key)
    if not best or math.ult(best_score, score) or score == best_score and key < best then
      best, best_score = key, score
    end
  end
  return best
end

return shards
