--- Runs specs: what `nexusd test` brings of busted. `describe`, `it`, what comes before and after,
-- `assert`, and a summary.
-- SPDX-License-Identifier: MIT

local assertions <const> = require "nexus.testing.assertions"

local runner <const> = {}

---- the tree of a file ----

local function new_block(name, parent)
  return { name = name, parent = parent, children = {}, setup = {}, teardown = {},
    before_each = {}, after_each = {} }
end

local function full_name(node)
  local names = {}
  while node and node.name do
    table.insert(names, 1, node.name)
    node = node.parent
  end
  return table.concat(names, " ")
end

local function line_of_caller()
  local info = debug.getinfo(3, "l")
  return info and info.currentline or 0
end

--- The globals of a spec; what they say is put into run.block.
local function environment(run)
  local env = { assert = assertions.new() }

  local function add(kind, name, fn, line)
    if type(name) ~= "string" then
      error("a name is missing", 3)
    end
    local children = run.block.children
    children[#children + 1] = { kind = kind, name = name, fn = fn, line = line,
      parent = run.block, file = run.file }
  end

  function env.describe(name, fn)
    add("block", name, fn, line_of_caller())
  end

  function env.it(name, fn)
    add(fn and "spec" or "pending", name, fn, line_of_caller())
  end

  function env.pending(name)
    if run.current then
      error({ pending = name or "" }, 0)
    end
    add("pending", name, nil, line_of_caller())
  end

  function env.finally(fn)
    run.finals[#run.finals + 1] = fn
  end

  for _, when in ipairs { "setup", "teardown", "before_each", "after_each" } do
    env[when] = function(fn)
      local list = run.block[when]
      list[#list + 1] = fn
    end
  end
  env.context, env.insulate, env.expose = env.describe, env.describe, env.describe
  env.spec, env.test = env.it, env.it
  env.lazy_setup, env.strict_setup = env.setup, env.setup
  env.lazy_teardown, env.strict_teardown = env.teardown, env.teardown
  return env
end

---- one after the other ----

local function on_error(err)
  if assertions.is_failure(err) or type(err) == "table" and err.pending then
    return err
  end
  local text = type(err) == "string" and err or type(err) == "table" and tostring(err)
    or "error: " .. tostring(err)
  return { message = text, trace = debug.traceback("", 2), is_error = true }
end

local function note(run, node, outcome, err)
  run.counts[outcome] = run.counts[outcome] + 1
  run.say(outcome, node)
  if outcome ~= "success" then
    run.reports[#run.reports + 1] = { outcome = outcome, name = full_name(node), err = err,
      place = ("%s:%d"):format(node.file, node.line or 0) }
  end
end

--- Calls all of them, though one may fail; returns the first error.
local function call_all(functions)
  local first
  for _, fn in ipairs(functions) do
    local ok, err = xpcall(fn, on_error)
    first = first or not ok and err or nil
  end
  return first
end

local function call_each(functions)
  for _, fn in ipairs(functions) do
    local ok, err = xpcall(fn, on_error)
    if not ok then
      return err
    end
  end
end

local function before(block)
  return block and (before(block.parent) or call_each(block.before_each))
end

local function after(block)
  if not block then
    return nil
  end
  local inner = call_all(block.after_each)
  local outer = after(block.parent)
  return inner or outer
end

local function run_spec(run, node)
  run.current, run.finals = node, {}
  local err = before(node.parent)
  if not err then
    local ok
    ok, err = xpcall(node.fn, on_error)
    err = not ok and err or nil
  end
  err = err or call_all(run.finals)
  local late = after(node.parent)
  err = err or late
  run.current = nil
  if not err then
    note(run, node, "success")
  elseif err.pending then
    note(run, node, "pending", { message = err.pending })
  else
    note(run, node, err.is_error and "error" or "failure", err)
  end
end

local run_block

local function run_child(run, node)
  if node.kind == "block" then
    local block = new_block(node.name, node.parent)
    block.file, block.line = node.file, node.line
    run_block(run, block, node.fn)
  elseif not run.is_wanted(full_name(node)) then
    return
  elseif node.kind == "pending" then
    note(run, node, "pending")
  else
    run_spec(run, node)
  end
end

--- True when a spec below it is wanted: else its setup need not run.
local function has_wanted(run, block)
  for _, child in ipairs(block.children) do
    if child.kind == "block" or run.is_wanted(full_name(child)) then
      return true
    end
  end
  return false
end

function run_block(run, block, fn)
  local outer = run.block
  run.block = block
  local ok, err = xpcall(fn, on_error)
  if not ok then
    note(run, block, "error", err)
  elseif has_wanted(run, block) then
    err = call_each(block.setup)
    if err then
      note(run, block, "error", err)
    else
      for _, child in ipairs(block.children) do
        run_child(run, child)
      end
    end
    err = call_all(block.teardown)
    if err then
      note(run, block, "error", err)
    end
  end
  run.block = outer
end

local function run_file(run, file)
  local block = new_block(nil, nil)
  block.file, block.line = file, 1
  run.file = file
  local env = setmetatable(environment(run), { __index = _G })
  local chunk, err = loadfile(file, "t", env)
  if not chunk then
    note(run, block, "error", { message = err, is_error = true })
    return
  end
  run_block(run, block, chunk)
end

---- what is said ----

local marks <const> = { success = "+", failure = "-", error = "*", pending = "." }

local function plural(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many)
end

local function report(out, one)
  local title <const> = { failure = "Failure", error = "Error", pending = "Pending" }
  local err = one.err
  out:write(("\n%s -> %s\n%s\n"):format(title[one.outcome], one.place, one.name))
  if err then
    out:write((err.place and err.place .. ": " or ""), err.message, "\n")
  end
  if err and err.trace then
    local ours = err.trace:find("\n\t[C]: in function 'xpcall'", 1, true)
    out:write((err.trace:sub(1, (ours or 0) - 1):gsub("^%s*stack traceback:\n", "")), "\n")
  end
end

local function summary(run, seconds)
  local counts = run.counts
  return ("%s / %s / %s / %d pending : %.3f seconds"):format(
    plural(counts.success, "success", "successes"), plural(counts.failure, "failure", "failures"),
    plural(counts.error, "error", "errors"), counts.pending, seconds)
end

--- Runs the files. options: filter (a pattern that names of specs must have), out (a file).
-- Returns true when nothing failed, and how many specs there were.
function runner.run(files, options)
  local out = options.out or io.stdout
  local run = { counts = { success = 0, failure = 0, error = 0, pending = 0 }, reports = {} }
  local began = options.clock()

  function run.say(outcome)
    out:write(marks[outcome])
    out:flush()
  end

  function run.is_wanted(name)
    return not options.filter or name:find(options.filter) ~= nil
  end

  for _, file in ipairs(files) do
    run_file(run, file)
  end
  out:write("\n", summary(run, options.clock() - began), "\n")
  for _, one in ipairs(run.reports) do
    report(out, one)
  end
  out:flush()
  local counts = run.counts
  return counts.failure == 0 and counts.error == 0,
    counts.success + counts.failure + counts.error + counts.pending
end

--- What `nexusd test` does. task: specs, files (of the policy), label (of its folder), filter,
-- clock, coverage (a function that returns the lines that ran). Instead of a count words: what is
-- wrong with the filter.
function runner.main(task)
  local is_pattern <const>, words <const> = pcall(string.find, "", task.filter or "")
  if not is_pattern then
    return false, words
  end
  table.sort(task.specs)
  local is_fine, count = runner.run(task.specs, task)
  if task.coverage and count > 0 then
    local files = {}
    table.sort(task.files)
    for i, path in ipairs(task.files) do
      files[i] = { path = path, name = path, label = task.label .. "/" .. path }
    end
    require "nexus.testing.coverage".report(files, task.coverage(), io.stdout, "lcov.info")
  end
  return is_fine, count
end

return runner
