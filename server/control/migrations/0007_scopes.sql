-- API keys made before there were scopes could do everything. A row that is no JSON object is left to the start, which sets
-- it aside.
UPDATE api_key SET body = json_set(body, '$.scopes', json('["all"]'))
WHERE CASE WHEN json_valid(body) THEN json_type(body) = 'object' AND json_type(body, '$.scopes') IS NULL ELSE 0 END;
