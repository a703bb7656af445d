-- The health of a SnapshotCapture and of a SnapshotReplay, from the conditions of kstatus. Argo CD runs it without Lua's
-- standard libraries. It differs from kstatus in one thing: a scheduled capture that keeps failing is Degraded, not
-- Progressing for ever, although the next run may succeed.
local function said(condition)
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.reason .. ": " .. condition.message
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator" }
end

local ready, reconciling, stalled
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then ready = condition end
  if condition.type == "Reconciling" and condition.status == "True" then reconciling = condition end
  if condition.type == "Stalled" and condition.status == "True" then stalled = condition end
end

if ready == nil then
  return { status = "Progressing", message = "Waiting for the operator" }
elseif stalled ~= nil then
  return { status = "Degraded", message = said(stalled) }
elseif ready.reason == "CaptureFailing" then
  return { status = "Degraded", message = said(ready) }
elseif reconciling ~= nil or ready.status ~= "True" then
  return { status = "Progressing", message = said(ready) }
end
return { status = "Healthy", message = said(ready) }
