--- Which lines of a policy its specs have run: as a table for people, and as an lcov file.
-- SPDX-License-Identifier: MIT

local coverage <const> = {}

---- lines with code: read out of the compiled form, which Lua 5.4 writes ----

local ABSOLUTE <const> = -128
local INSTRUCTION_SIZE <const> = 4

local Dump <const> = {}
Dump.__index = Dump

function Dump:read(format)
  local value
  value, self.at = string.unpack(format, self.bytes, self.at)
  return value
end

--- A size: seven bits an octet, the last one with the highest bit.
function Dump:size()
  local size = 0
  while true do
    local octet = self:read "B"
    size = size << 7 | octet & 0x7f
    if octet & 0x80 ~= 0 then
      return size
    end
  end
end

function Dump:skip_text()
  local size = self:size()
  self.at = self.at + (size == 0 and 0 or size - 1)
end

local constants <const> = {
  [0x03] = function(dump) dump.at = dump.at + dump.integer_size end,
  [0x13] = function(dump) dump.at = dump.at + dump.number_size end,
  [0x04] = Dump.skip_text, [0x14] = Dump.skip_text,
}

local function skip_constants(dump)
  for _ = 1, dump:size() do
    local skip = constants[dump:read "B"]
    if skip then
      skip(dump)
    end
  end
end

local function read_lines(dump, first_line, count)
  local lines, deltas, absolute = {}, {}, {}
  for i = 1, dump:size() do
    deltas[i] = dump:read "b"
  end
  for _ = 1, dump:size() do
    local place = dump:size()
    absolute[place] = dump:size()
  end
  local line = first_line
  for i = 1, count do
    line = deltas[i] == ABSOLUTE and absolute[i - 1] or line + (deltas[i] or 0)
    lines[i] = line
  end
  return lines
end

--- Adds the lines of a function and of those in it. Its last instruction is the return that `end`
-- stands for, which need not be reached; the first one of those that take `...`, as files do, makes
-- room for that and is no line of anybody.
local function read_function(dump, into)
  dump:skip_text()
  local first_line = dump:size()
  dump:size()
  local has_dots <const> = dump.bytes:byte(dump.at + 1) ~= 0
  dump.at = dump.at + 3
  local count = dump:size()
  dump.at = dump.at + count * INSTRUCTION_SIZE
  skip_constants(dump)
  local upvalue_count = dump:size()
  dump.at = dump.at + upvalue_count * 3
  for _ = 1, dump:size() do
    read_function(dump, into)
  end
  local lines = read_lines(dump, first_line, count)
  for i = has_dots and 2 or 1, count - 1 do
    if lines[i] > 0 then
      into[lines[i]] = true
    end
  end
  for _ = 1, dump:size() do
    dump:skip_text()
    dump:size()
    dump:size()
  end
  for _ = 1, dump:size() do
    dump:skip_text()
  end
end

--- The set of lines of a file that have code; nil and words when it does not compile.
function coverage.lines_of(path)
  local chunk, words = loadfile(path, "t")
  if not chunk then
    return nil, words
  end
  local dump = setmetatable({ bytes = string.dump(chunk), at = 1 }, Dump)
  dump.at = dump.at + 4 + 1 + 1 + 6 + 1
  dump.integer_size, dump.number_size = dump:read "B", dump:read "B"
  dump.at = dump.at + dump.integer_size + dump.number_size + 1
  local lines = {}
  read_function(dump, lines)
  return lines
end

---- reports ----

--- "3-5, 9": the lines in a list that is in order.
local function ranges(lines)
  local parts, i = {}, 1
  while i <= #lines do
    local last = i
    while lines[last + 1] == lines[last] + 1 do
      last = last + 1
    end
    parts[#parts + 1] = last == i and tostring(lines[i]) or lines[i] .. "-" .. lines[last]
    i = last + 1
  end
  return table.concat(parts, ", ")
end

local function count_file(path, hits)
  local with_code, sorted, missed, covered = coverage.lines_of(path) or {}, {}, {}, 0
  for line in pairs(hits) do
    with_code[line] = true
  end
  for line in pairs(with_code) do
    sorted[#sorted + 1] = line
  end
  table.sort(sorted)
  for _, line in ipairs(sorted) do
    if hits[line] then
      covered = covered + 1
    else
      missed[#missed + 1] = line
    end
  end
  return sorted, missed, covered
end

local function write_lcov(out, path, lines, hits, covered)
  out:write("TN:\nSF:", path, "\n")
  for _, line in ipairs(lines) do
    out:write(("DA:%d,%d\n"):format(line, hits[line] or 0))
  end
  out:write(("LF:%d\nLH:%d\nend_of_record\n"):format(#lines, covered))
end

local function row(out, name, covered, all, missed)
  out:write(("%-30s %5d of %5d %6.1f %%%s\n"):format(name, covered, all,
    all == 0 and 100 or covered * 100 / all, missed ~= "" and "  not: " .. missed or ""))
end

--- files: { { path = , label = , name = } }; hits: label -> line -> how often; out: for people;
-- lcov: the path of a file to write, or nil.
function coverage.report(files, hits, out, lcov)
  local file = lcov and assert(io.open(lcov, "w"))
  local all, covered = 0, 0
  out:write("\nLines that ran:\n")
  for _, one in ipairs(files) do
    local mine = hits[one.label] or {}
    local lines, missed, ran = count_file(one.path, mine)
    all, covered = all + #lines, covered + ran
    row(out, one.name, ran, #lines, ranges(missed))
    if file then
      write_lcov(file, one.path, lines, mine, ran)
    end
  end
  row(out, "in all", covered, all, "")
  if file then
    assert(file:close())
  end
end

return coverage
