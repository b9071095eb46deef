<?php
// What a PHP application reads, as JSON. The router script of `php -S`.

$all = getallheaders();
$folded = array_change_key_case($all, CASE_LOWER);
$read = [];
foreach (json_decode(file_get_contents(__DIR__ . '/names.json')) as $name) {
    $key = strtoupper(strtr($name, '-', '_'));
    $found = [
        "\$_SERVER['HTTP_$key']" => $_SERVER["HTTP_$key"] ?? null,
        "getenv('HTTP_$key')" => getenv("HTTP_$key"),
        "getallheaders()['$name']" => $all[$name] ?? null,
        "array_change_key_case(getallheaders())['" . strtolower($name) . "']" => $folded[strtolower($name)] ?? null,
    ];
    if (str_starts_with($key, 'REMOTE_')) {
        $found["\$_SERVER['$key']"] = $_SERVER[$key] ?? null;
    }
    $read[$name] = array_map(fn($v) => $v === null || $v === false ? [] : [$v], $found);
}

$dump = [];
foreach ($_SERVER as $name => $value) {
    if (is_string($value) && getenv($name, true) !== $value) {
        $dump[] = ['from' => '$_SERVER', 'name' => (string) $name, 'value' => $value];
    }
}
foreach ($all as $name => $value) {
    $dump[] = ['from' => 'getallheaders()', 'name' => (string) $name, 'value' => $value];
}

$document = json_encode([
    'server' => $_SERVER['SERVER_SOFTWARE'] ?? '',
    'method' => $_SERVER['REQUEST_METHOD'],
    'path' => (string) parse_url('http://x' . $_SERVER['REQUEST_URI'], PHP_URL_PATH),
    'query' => $_SERVER['QUERY_STRING'] ?? '',
    'body' => strlen(file_get_contents('php://input')),
    'read' => $read,
    'cookies' => ['$_COOKIE' => (object) array_map(fn($v) => is_string($v) ? $v : json_encode($v), $_COOKIE)],
    'dump' => $dump,
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR);
header('Content-Type: application/json');
if ($_SERVER['REQUEST_METHOD'] === 'HEAD') {
    header('X-Reading: ' . base64_encode($document));
} else {
    header('Content-Length: ' . strlen($document));
    echo $document;
}
