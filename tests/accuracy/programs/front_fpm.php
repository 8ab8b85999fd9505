<?php
// front_fpm.php - front service for PHP-FPM: calls with the curl extension, PostgreSQL and Redis.

function call_curl(string $url, bool $fresh): int
{
    static $kept = null;
    $handle = $fresh ? curl_init() : ($kept ??= curl_init());
    curl_reset($handle);
    curl_setopt_array($handle, [CURLOPT_URL => $url, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 20]);
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        curl_setopt($handle, CURLOPT_POSTFIELDS, file_get_contents('php://input'));
    }
    curl_exec($handle);
    return curl_getinfo($handle, CURLINFO_RESPONSE_CODE) ?: 599;
}

function call_at_once(array $urls): array
{
    $multi = curl_multi_init();
    $handles = array_map('curl_init', $urls);
    foreach ($handles as $handle) {
        curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);
        curl_multi_add_handle($multi, $handle);
    }
    do {
        curl_multi_exec($multi, $running);
        curl_multi_select($multi, 0.1);
    } while ($running);
    return array_map(fn ($handle) => curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $handles);
}

function query(string $name, int $k): int
{
    static $connection = null;
    $connection ??= pg_connect(getenv('POSTGRES'));
    $alias = 'id_' . preg_replace('/\W/', '_', $name);
    $k % 2 ? pg_query($connection, "SELECT 1 AS $alias") : pg_query_params($connection, "SELECT \$1::text AS $alias", ['x']);
    return 200;
}

function command(string $name): int
{
    static $redis = null;
    if ($redis === null) {
        $server = parse_url(getenv('REDIS'));
        $redis = new Redis();
        $redis->connect($server['host'], $server['port']);
        $redis->auth($server['pass']);
    }
    $redis->get("n:$name");
    return 200;
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$query = $_SERVER['QUERY_STRING'] ?? '';
$mode = $_GET['mode'] ?? 'seq';
$count = (int) ($_GET['calls'] ?? 1);
$backend = getenv('BACKEND');
$base = $mode === 'name' ? str_replace('127.0.0.1', 'localhost', $backend) : $backend;
$results = [];
if ($mode === 'par') {
    $results = call_at_once(array_map(fn ($k) => "$base$path.$k?$query", range(1, $count)));
    $count = 0;
}
for ($k = 1; $k <= $count; $k++) {
    $name = substr($path, 3) . ".$k";
    if ($mode === 'timer') {
        usleep(3000);
    } elseif ($mode === 'refused') {
        @file_get_contents('http://127.0.0.1:1/');
    }
    $results[] = match ($mode) {
        'postgres' => query($name, $k),
        'redis' => command($name),
        default => call_curl("$base$path.$k?$query", $mode === 'new' || $mode === 'name'),
    };
}
http_response_code(max($results ?: [200]) >= 400 ? 502 : 200);
echo implode(' ', $results), "\n";
