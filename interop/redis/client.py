"""Stock redis-py against one port: prints what each use gave, one line each, so that two runs can be compared."""
import sys
import threading

import redis

host, port = sys.argv[1], int(sys.argv[2])


def show(name, value):
    print(f'{name}: {value!r}')


for protocol in (2, 3):
    client = redis.Redis(host, port, protocol=protocol, client_name='app', decode_responses=False)
    client.flushall()
    show('set', client.set('k', b'\x00\r\n\xff'))
    show('get', client.get('k'))
    show('hash', (client.hset('h', mapping={'a': 1, 'b': 2.5}), client.hgetall('h')))
    show('zset', (client.zadd('z', {'one': 1, 'two': 2}), client.zrange('z', 0, -1, withscores=True)))
    show('name', client.client_getname())
    pipeline = client.pipeline(transaction=False)
    for index in range(100):
        pipeline.incr('n')
    show('pipeline', sum(pipeline.execute()))
    show('transaction', client.transaction(lambda pipe: (pipe.multi(), pipe.incr('n')), 'n'))
    show('script', client.register_script('return {KEYS[1], ARGV[1], 7}')(keys=['k'], args=['v']))
    show('scan', sorted(client.scan_iter(count=1)))
    show('stream', (bool(client.xadd('s', {'f': 'v'})), client.xlen('s')))
    try:
        client.incr('h')
    except redis.ResponseError as error:
        show('error', str(error))
    subscriber = client.pubsub()
    subscriber.subscribe('a', 'b')
    subscriber.psubscribe('n*')
    show('subscribed', [subscriber.get_message(timeout=5) for _ in range(3)])
    show('published', (client.publish('a', 'one'), client.publish('news', 'two')))
    show('messages', [subscriber.get_message(timeout=5) for _ in range(2)])
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    left = [subscriber.get_message(timeout=5) for _ in range(3)]
    show('unsubscribed', sorted(str(message) for message in left))
    subscriber.close()
    other = redis.Redis(host, port, protocol=protocol)
    pusher = threading.Timer(0.2, lambda: other.rpush('q', 'job'))
    pusher.start()
    show('waited', client.blpop(['q'], timeout=5))
    pusher.join()
    with redis.Redis(host, port, db=3, protocol=protocol) as third:
        show('database', (third.set('only', 'here'), client.get('only'), third.get('only')))
    lock = client.lock('lock', timeout=5)
    show('lock', (lock.acquire(), lock.owned(), lock.release()))
