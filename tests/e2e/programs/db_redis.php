<?php
// db_redis.php - a list of commands through PHP's redis extension.
$db = new Redis();
$db->connect(getenv('DB_HOST'), (int) getenv('DB_PORT'));
$db->auth(getenv('DB_PASSWORD'));
$db->select(2);
$db->set('user:1', 'sEcReT-1', 60);
for ($number = 0; $number < 3; $number++) {
    $db->get("user:$number");
}
$db->hMSet('hash', ['name' => 'sEcReT-2', 'mail' => 'sEcReT-3']);
$db->mget(['user:1', 'user:2']);
if ($db->lPush('user:1', 'sEcReT-4') === false) {
    echo explode(' ', $db->getLastError())[0], "\n";
}
$db->rawCommand('NO.SUCH', 'sEcReT-5');
$pipeline = $db->multi(Redis::PIPELINE);
for ($number = 0; $number < 5; $number++) {
    $pipeline->set("pipe:$number", 'sEcReT-6');
}
$pipeline->exec();
$db->multi()->incr('counter')->lPush('user:1', 'sEcReT-7')->exec();
$db->eval('return ARGV[1]', ['user:1', 'sEcReT-8'], 1);
$db->config('GET', 'maxmemory');
echo $db->dbSize(), "\n";
