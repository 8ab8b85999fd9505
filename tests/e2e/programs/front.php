<?php
// front.php - front service for PHP's built-in server; CLIENT=curl calls with the curl extension, else with streams.

function call_curl(string $url): int
{
    $handle = curl_init($url);
    curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 20]);
    if ($_SERVER['REQUEST_METHOD'] === 'POST') {
        curl_setopt($handle, CURLOPT_POSTFIELDS, file_get_contents('php://input'));
    }
    curl_exec($handle);
    $status = curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
    curl_close($handle);
    return $status;
}

function call_stream(string $url): int
{
    $options = ['method' => $_SERVER['REQUEST_METHOD'], 'ignore_errors' => true, 'timeout' => 20];
    if ($options['method'] === 'POST') {
        $options['content'] = file_get_contents('php://input');
        $options['header'] = 'Content-Type: application/octet-stream';
    }
    if (file_get_contents($url, false, stream_context_create(['http' => $options])) === false) {
        return 599;
    }
    return (int) explode(' ', $http_response_header[0])[1];
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$results = [];
for ($i = 1; $i <= (int) ($_GET['calls'] ?? 1); $i++) {
    $url = getenv('BACKEND') . "$path.$i?" . ($_SERVER['QUERY_STRING'] ?? '');
    $results[] = getenv('CLIENT') === 'curl' ? call_curl($url) : call_stream($url);
}
http_response_code(max($results ?: [200]) >= 400 ? 502 : 200);
echo implode(' ', $results), "\n";
