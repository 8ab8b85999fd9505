# front.rb - front service on WEBrick, calling with Net::HTTP.
require 'net/http'
require 'webrick'

backend = URI(ENV.fetch('BACKEND'))

class Front < WEBrick::HTTPServlet::AbstractServlet
  def do_GET(request, response)
    count = (request.query_string.to_s[/calls=(\d+)/, 1] || 1).to_i
    results = (1..count).map { |i| call(request, "#{request.path}.#{i}?#{request.query_string}") }
    response.status = results.any? { |status| status >= 400 } ? 502 : 200
    response.body = results.join(' ')
  end
  alias do_POST do_GET

  def call(request, target)
    backend = @options[0]
    Net::HTTP.start(backend.host, backend.port, nil, read_timeout: 20) do |http|
      body = request.request_method == 'POST' ? request.body : nil
      headers = body ? { 'Content-Type' => 'application/octet-stream' } : {}
      http.send_request(request.request_method, target, body, headers).code.to_i
    end
  end
end

server = WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: ENV.fetch('PORT').to_i, AccessLog: [],
                                 DoNotReverseLookup: true,
                                 Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN))
server.mount('/n', Front, backend)
trap('TERM') { server.shutdown }
server.start
