# front_puma.ru - front service on Puma, a pool of threads behind a reactor: every kind that it has.
require 'net/http'
require 'pg'
require 'redis'

BACKEND = URI(ENV.fetch('BACKEND'))
LOCK = Mutex.new
MADE = {}

def once(name)
  LOCK.synchronize { MADE[name] ||= yield }
end

# Connections that threads take and give back.
class Pool
  def initialize(items)
    @items = Queue.new
    items.each { |item| @items << item }
  end

  def use
    item = @items.pop
    yield item
  ensure
    @items << item
  end
end

Job = Struct.new(:method, :path, :query, :body, :calls, :mode) do
  def name(k)
    "#{path[3..]}.#{k}"
  end
end

def connection(host = BACKEND.host)
  Net::HTTP.start(host, BACKEND.port, nil, read_timeout: 20, max_retries: 0, keep_alive_timeout: 60)
end

def ask(http, job, k)
  headers = job.body ? { 'Content-Type' => 'application/octet-stream' } : {}
  http.send_request(job.method, "#{job.path}.#{k}?#{job.query}", job.body, headers).code.to_i
rescue SystemCallError, IOError, Net::ProtocolError
  599
end

def fresh(job, k, host = BACKEND.host)
  http = connection(host)
  ask(http, job, k)
ensure
  http&.finish if http&.started?
end

def kept(job, k)
  http = Thread.current[:http]
  http = Thread.current[:http] = connection unless http&.started?
  status = ask(http, job, k)
  Thread.current[:http] = nil if status == 599
  status
end

def postgres(job, k)
  once(:postgres) { Pool.new(Array.new(4) { PG.connect(ENV.fetch('POSTGRES')) }) }.use do |one|
    one.exec("SELECT 1 AS id_#{job.name(k).gsub(/\W/, '_')}")
  end
  200
end

def command(job, k)
  once(:redis) { Pool.new(Array.new(4) { Redis.new(url: ENV.fetch('REDIS')) }) }.use { |one| one.get("n:#{job.name(k)}") }
  200
end

# A thread that does what comes in its queue.
class Worker
  def initialize
    @jobs = Queue.new
    Thread.new { loop { |_| task, done = @jobs.pop; done << task.call } }
  end

  def run(&task)
    done = Queue.new
    @jobs << [task, done]
    done.pop
  end
end

def one(job, k)
  case job.mode
  when 'timer' then sleep(0.003)
  when 'name' then return fresh(job, k, 'localhost')
  when 'new' then return fresh(job, k)
  when 'pool'
    return once(:pool) { Pool.new(Array.new(4) { connection }) }.use { |http| ask(http, job, k) }
  when 'queue' then once(:worker) { Worker.new }.run { sleep(0.001) }
  when 'handoff' then return once(:worker) { Worker.new }.run { fresh(job, k) }
  when 'thread' then Thread.new { sleep(0.001) }.join
  when 'worker' then return Thread.new { fresh(job, k) }.value
  when 'postgres' then return postgres(job, k)
  when 'redis' then return command(job, k)
  when 'refused'
    begin
      TCPSocket.new('127.0.0.1', 1)
    rescue SystemCallError
      nil
    end
  end
  kept(job, k)
end

run(lambda do |env|
  query = env['QUERY_STRING'].to_s
  body = env['rack.input']&.read
  job = Job.new(env['REQUEST_METHOD'], env['PATH_INFO'], query, body.to_s.empty? ? nil : body,
                (query[/calls=(\d+)/, 1] || 1).to_i, query[/mode=(\w+)/, 1])
  numbers = (1..job.calls)
  results = if job.mode == 'par'
              numbers.map { |k| Thread.new { fresh(job, k) } }.map(&:value)
            else
              numbers.map { |k| one(job, k) }
            end
  [results.any? { |status| status >= 400 } ? 502 : 200, { 'Content-Type' => 'text/plain' }, [results.join(' ')]]
end)
